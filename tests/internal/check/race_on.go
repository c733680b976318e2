//go:build race

package check

// RaceDetector tells whether this binary has it.
const RaceDetector = true

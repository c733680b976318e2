package main

import (
	"math/rand/v2"
	"strings"
)

// body is what every system carries: a number, by which it is missed or found
// twice; the time that it was due to be sent, in nanoseconds since 1970; and
// text that makes up the size.
type body struct {
	Seq  int64  `json:"seq"`
	Due  int64  `json:"due"`
	Fill string `json:"fill"`
}

// overhead is the JSON of a body without its text, roughly.
const overhead = len(`{"seq":1000000,"due":1795536000000000000,"fill":""}`)

// maxSize is the largest body there is.
const maxSize = 256 << 10

// filler gives texts of one length. They are at random, so that compression
// gains what it gains on real text that is already dense, and nothing more.
type filler struct {
	text   string
	length int
}

func newFiller(seed uint64, size int) filler {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	random := rand.New(rand.NewPCG(seed, 0))
	var text strings.Builder
	for range maxSize + 1000 {
		text.WriteByte(letters[random.IntN(len(letters))])
	}
	return filler{text.String(), max(size-overhead, 0)}
}

// of returns the text of the message with that number.
func (f filler) of(seq int64) string {
	start := int(seq*31) % (len(f.text) - f.length)
	return f.text[start : start+f.length]
}

package table

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// The limits of Postgres and PGMQ.
const (
	maxNameChars       = 47
	maxIdentifierBytes = 63 // a longer one would be cut off, and two queues could share a table
)

// CheckName returns why name cannot be a queue's, or nil. The rules are PGMQ's
// (pgmq.validate_queue_name), and it refuses names that would not reach the server
// unchanged.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case !utf8.ValidString(name):
		return errors.New("it is not valid UTF-8")
	case strings.ContainsRune(name, 0):
		return errors.New("it contains a NUL")
	case utf8.RuneCountInString(name) > maxNameChars:
		return errors.New("it is longer than 47 characters")
	case strings.ContainsAny(name, "$;'") || strings.Contains(name, "--"):
		return errors.New("it contains one of $ ; ' or --")
	case len("q_")+max(len(name), len(strings.ToLower(name))) > maxIdentifierBytes:
		return errors.New("it is longer than 61 bytes in UTF-8")
	}
	return nil
}

package main

import (
	"math/rand/v2"
	"strings"
)

// body is the message that every system carries.
type body struct {
	Seq  int64  `json:"seq"`  // by which the ledger finds lost and repeated messages
	Due  int64  `json:"due"`  // when it was to be sent, in nanoseconds since 1970
	Fill string `json:"fill"` // pads the message to its size
}

// overhead is about how many bytes the JSON of a body has without its text.
const overhead = len(`{"seq":1000000,"due":1795536000000000000,"fill":""}`)

// maxSize is the size of the largest body, in bytes.
const maxSize = 256 << 10

// filler returns texts of one length. They are random, so that compression gains
// no more on them than on real text that is already dense.
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

// of returns the text of message number seq.
func (f filler) of(seq int64) string {
	start := int(seq*31) % (len(f.text) - f.length)
	return f.text[start : start+f.length]
}

package queue

import "time"

const (
	// maxFlush and maxFlushBytes bound the messages of one statement of Sends.
	// Measured by: make bench ARGS="-cells a".
	maxFlush      = 1000
	maxFlushBytes = 16 << 20

	// flushPatience is how long a shared statement of Sends waits for a lock, and holds
	// back the next. It is many times the duration of a commit.
	flushPatience = 50 * time.Millisecond

	// aloneSize is the size from which on a message has a statement of its own: its
	// cost for the server is its bytes, for which several connections are faster.
	// Measured by: make bench ARGS="-cells f".
	aloneSize = 8 << 10

	// maxAsync and maxAsyncBytes bound the messages that were handed to SendAsync
	// and are not sent yet.
	maxAsync      = 10_000
	maxAsyncBytes = 64 << 20

	// maxBatch is half of the most that Postgres takes in one protocol message, as
	// some of pgx's modes escape the values that they send.
	maxBatch = 512 << 20

	// loopAhead is how many messages a loop over Messages has in hand.
	loopAhead = 10

	// archivePage is how many messages a loop over Archived has in memory.
	archivePage = 100
)

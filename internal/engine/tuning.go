package engine

import "time"

const (
	// defaultWorkers is the number of handlers that run at once.
	defaultWorkers = 8

	// statementTimeout is the time for one statement. A longer one is an outage.
	statementTimeout = 10 * time.Second

	// answerTimeout is the time that the server has to answer a small question.
	answerTimeout = 5 * time.Second

	// poolWait is how long work waits for a connection of the pool before that is
	// reported, and poolRest the time until it is reported again.
	poolWait = 3 * time.Second
	poolRest = time.Minute

	// bodyTime is the time for a message that is fetched by itself and did not come
	// in the time for a statement.
	bodyTime = time.Minute

	// fetchPatience is how often a connection that was just heard from may be cut
	// under such a message before it is put aside.
	fetchPatience = 3

	// maxMark is the longest time by which a read's VT is longer than the option, so
	// that it is told from others.
	maxMark = time.Second

	// maxLostTries bounds the doubling of the pause between two looks for messages that a
	// lost fetch has hidden: 12.8 s.
	maxLostTries = 7

	// retryFirst and retryLast bound the pause between attempts in an outage.
	retryFirst = 100 * time.Millisecond
	retryLast  = 3 * time.Second

	// beatsPerVT is how often a lease is extended within its VT: two heartbeats may
	// fail before it ends.
	beatsPerVT = 3

	// checksPerVT is how often leases are checked for their end within a VT.
	checksPerVT = 12

	// leaseMargin is the part of the VT by which a lease counts as over early,
	// because a handler needs a moment to stop.
	leaseMargin = 20

	// contendedFirst and contendedLast bound the pause while messages are visible
	// and other readers take them.
	contendedFirst = time.Millisecond
	contendedLast  = 250 * time.Millisecond

	// settlingLast is the longest pause between two scans while transactions run
	// that may have sent without notifying.
	settlingLast = time.Second

	// patience is how many scans are left out at most in that time: 150 ms.
	patience = 4

	// maxFetchBytes is about how many bytes are fetched at once. Workers begin with
	// large messages while the server reads the next.
	// Measured by: make bench ARGS="-cells f".
	maxFetchBytes = 2 << 20

	// maxAheadBytes is about how many bytes are fetched before a worker is free.
	// Measured by: make bench ARGS="-cells f".
	maxAheadBytes = 16 << 20

	// minBodySize is the least size that a message counts towards these.
	minBodySize = 64

	// maxSettled is how many deliveries one statement settles.
	// Measured by: make bench ARGS="-cells c".
	maxSettled = 1000

	// stopFraction and stopTime: the handlers' contexts end in the last tenth of
	// the grace, at most this long before its end.
	stopFraction = 10
	stopTime     = 5 * time.Second

	// maxNote is how many bytes of an error's text or of a stack a dead letter has.
	maxNote = 4 << 10
)

package wake

import "time"

const (
	// MinInterval is the least time between two requests for notifications. Under
	// load consumers scan at this pace, and no sender notifies.
	// Measured by: make bench ARGS="-cells d,h".
	MinInterval = 5 * time.Millisecond

	// unreadInterval is the most that the interval grows to by doubling, while
	// senders notify of messages that nobody can read yet, such as delayed ones.
	unreadInterval = 50 * time.Millisecond

	// maxInterval bounds the interval where a single scan is slow.
	maxInterval = time.Second

	// answerTimeout is the time that the server has to answer a small question.
	answerTimeout = 5 * time.Second

	// pingInterval is the silence after which the listening connection is checked.
	pingInterval = 15 * time.Second

	// lockTimeout bounds the wait for a row lock on the listening connection, which
	// must stay free to receive notifications.
	lockTimeout = "2s"

	// statementSlots is the number of short statements that the consumers of a pool
	// run at once. With many queues, few connections then know the statements of
	// all; many connections would each prepare and plan them.
	// Measured by: make bench ARGS="-cells h".
	statementSlots = 4

	// spareConns is how many connections of a pool the transactions of handlers
	// leave: one for the consumers' statements, one for the handlers' statements beside
	// their transactions.
	spareConns = 2

	// slotTime is the longest time that a statement keeps its slot: one that waits
	// for a lock, or reads a slow table, does not hold up the others.
	slotTime = 100 * time.Millisecond
)

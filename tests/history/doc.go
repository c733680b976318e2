// Package history records the calls of queue clients and their results, and tells from
// the record alone whether the queues kept their promises.
//
// A history is a file of JSON lines, one [Event] each, written by any number of
// processes on one machine through their [Recorder]s. It ends with a census: the
// contents of the queues, the archives and the application's own tables at the
// end. [Read] reads it, [Check] judges it.
//
// The checker knows nothing of how a queue is made, and raises no false alarm:
// where the order of two events cannot be known, it takes the order that is right.
// Three things make that possible:
//
//   - Leases are compared by the server's clock alone, which each delivery tells:
//     a lease begins at the time that the server noted for the read, and ends at
//     the message's VisibleAt.
//   - Operations are ordered by the machine's monotonic clock, which all of its
//     processes share and nobody sets: one came before another if it had ended
//     before the other began.
//   - An operation whose answer was lost, or whose process died, is unknown: it
//     may have happened at any time after it began, or never.
package history

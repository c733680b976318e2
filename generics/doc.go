// Package generics holds mechanisms that need a type parameter and no Postgres.
//
//   - [JSON] is the codec between T and JSON.
//   - [Coalescer] turns calls that come at the same time into batches, and
//     [Bisect] finds the bad item of a batch that failed.
//   - [Workers] fetches jobs from a source and runs a bounded number at once.
//   - [Wakers] wakes goroutines that wait for a key, one at a time.
//   - [Poll] repeats a call until it succeeds, [Sleep] waits, and [Exponential]
//     computes the pause between attempts.
//
// The package imports the standard library only. Nothing in it mentions a
// message or SQL.
//
// Two types start goroutines. Those of [Workers.Work] have ended when Work
// returns. Those of a [Coalescer] flush one batch after the other, for all
// callers, and can outlive the call that started the first. They end when Flush
// has returned and no call waits for a batch. So a flush goes on after its callers
// have left with [ErrOutcomeUnknown], and after [Coalescer.Begin] has returned.
//
// Package generics serves package queue and is outside of the project's
// compatibility promise: any release may change or remove its exports.
package generics

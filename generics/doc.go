// Package generics holds what needs a type parameter and no Postgres.
//
//   - [JSON] is the codec between T and JSON.
//   - [Coalescer] turns calls that come at the same time into batches, and
//     [Halve] finds the bad item of a batch that failed.
//   - [Pump] feeds jobs from a source to a bounded number of workers.
//   - [Bells] wakes goroutines that wait for a key, one at a time.
//   - [Poll] waits for something to turn up, and [Exponential] says how long to
//     pause between attempts.
//
// It knows the standard library only. Nothing in it mentions a message or SQL.
// No goroutine outlives the call that started it.
package generics

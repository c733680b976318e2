// Package admin administers queues. Nothing in it knows the type of a body. A program
// calls it when it is deployed, an operator when something went wrong, a scheduler
// every night.
//
// Queues come and go with [Create], [Drop], [DropEmpty] and [Purge]:
//
//	if err := admin.Create(ctx, pool, "orders"); err != nil { … }
//
// [List] names them. [Stats] counts the messages of one queue exactly. [Metrics]
// is cheap at any length and suits a monitor: it samples long queues, and adds the
// sizes of the tables. [Describe] has everything else about one queue: indexes,
// vacuums, grants, partitions, topics, and where its dead letters come from.
//
// Dead letters go back to work with [Redrive], archived messages with [Replay].
// [Prune] deletes old messages from an archive:
//
//	moved, err := admin.Redrive(ctx, pool, "orders_dead", admin.ForReason(queue.ReasonMaxReads))
//
// [Maintain] and [MaintainAll] make and drop the partitions of partitioned queues.
// [Now] is the server's clock, by which all times here are.
//
// Every function takes a [queue.DB]: a pool, a connection or a transaction of pgx.
// Errors name the queue and the operation, and match those of package queue:
// [queue.ErrInvalidName], [queue.ErrInvalidOption], [queue.ErrNoQueue],
// [queue.ErrNoSchema]. Errors of the server stay in the chain as a
// *pgconn.PgError. The zero value of an option is its default.
package admin

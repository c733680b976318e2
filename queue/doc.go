// Package queue is a typed message queue on plain Postgres.
//
// A queue is a table. Sending inserts a row. Reading hides rows for a visibility
// timeout (VT): the reader has a lease. It deletes or archives a message when the
// work is done. A message that is not settled in time comes back by itself, so
// nothing is lost when a reader dies:
//
//	orders, err := queue.New[OrderPlaced](pool, "orders")
//	id, err := orders.Send(ctx, OrderPlaced{OrderID: 42})
//
//	err = orders.Consume(ctx, func(ctx context.Context, m *queue.Message[OrderPlaced]) error {
//		return ship(ctx, m.Body.OrderID)
//	}, queue.Workers(8))
//
// [Queue.Consume], [Queue.ConsumeTx] and [Queue.ConsumeBatch] read and settle. They
// extend the lease of a message while its handler works, retry failed messages, put
// aside messages that always fail ([MaxReads], [DeadLetterTo]), and stop cleanly.
// [Queue.Read], [Queue.Delete] and the other methods are the single steps.
//
// The tables and their semantics are PGMQ's, so every PGMQ client can take part. The
// migrations of package schema, or the command pgmq, create schema pgmq before this
// package is used. Package queue/admin creates queues, counts and purges them, and
// moves dead letters and archived messages back.
//
// # Promises
//
//   - At least once: a sent message is delivered until it is settled.
//   - One holder at a time: within a VT no second reader gets the message.
//   - Fenced: [Queue.Delete], [Queue.Archive] and [Queue.SetVT] check the receipt of
//     the read. If another reader has read the message since, they leave it alone
//     and return [ErrLeaseLost].
//   - Exactly-once effect, where the writes are in the same database: send and
//     settle inside the transaction that writes, with [Queue.WithTx] or
//     [Queue.ConsumeTx].
//
// # Bodies
//
// encoding/json encodes and decodes T. Implement [json.Marshaler] and
// [json.Unmarshaler] for another form, and use [json.RawMessage] for none. Postgres
// stores jsonb: it keeps the value, but not white space, the order of keys or
// duplicate keys.
//
// # Around operations
//
// An [Interceptor] runs around every operation and every handler: it adds headers,
// traces, measures, refuses. An [Observer] gets the events of consumers, such as
// deliveries, retries and outages.
//
// # Errors
//
// Every error names the queue and the operation. errors.Is finds [ErrNotFound],
// [ErrLeaseLost], [ErrNotStored], [ErrNoQueue], [ErrNoSchema], [ErrInvalidName],
// [ErrInvalidOption], [ErrOutcomeUnknown] and [ErrGraceExpired]. errors.As finds
// [*EncodeError], [*NotStoredError], [*DecodeError], [*LeaseLostError], [*PanicError],
// [Failures], and a [*pgconn.PgError] of the server.
//
// [*pgconn.PgError]: https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#PgError
package queue

// Package queue is a typed message queue on plain Postgres.
//
// A queue is a table. Sending inserts a row. Reading hides rows for a visibility
// timeout (VT), and whoever read a message deletes or archives it when the work
// is done; a message that was not settled in time comes back by itself, so
// nothing is lost when a reader dies:
//
//	orders, err := queue.New[OrderPlaced](pool, "orders")
//	id, err := orders.Send(ctx, OrderPlaced{OrderID: 42})
//
//	err = orders.Consume(ctx, func(ctx context.Context, m *queue.Message[OrderPlaced]) error {
//		return ship(ctx, m.Body.OrderID)
//	}, queue.Workers(8))
//
// [Queue.Consume] and its kin do the reading and the settling: they keep the
// lease of a message while its handler works, retry what fails, put aside what
// always fails ([DeadLetterTo], [Redrive]), and end when they are asked to.
// [Queue.Read], [Queue.Delete] and the rest are what they are made of.
//
// The tables and their semantics are PGMQ's, so every PGMQ client can take part.
// They are made by the migrations of package schema, or the command pgmq, before
// this package is used, and by [Create] for each queue.
//
// # Promises
//
//   - At least once: a sent message is delivered until it is settled.
//   - One holder at a time: within a VT no second reader gets the message.
//   - Fenced: [Queue.Delete], [Queue.Archive] and [Queue.SetVT] go by the receipt
//     of a read. If somebody else has read the message since, they leave it alone
//     and say so with [ErrLeaseLost].
//   - Exactly-once effect, where the writes are in the same database: send and
//     settle inside the transaction that writes, with [Queue.WithTx] or
//     [Queue.ConsumeTx].
//
// # Bodies
//
// T is encoded and decoded by encoding/json; implement [json.Marshaler] and
// [json.Unmarshaler] for another form, and use [json.RawMessage] for none.
// Postgres stores jsonb: it keeps the value, not white space, the order of keys
// or duplicate keys.
//
// # Errors
//
// Every error names the queue and the operation. errors.Is finds [ErrEmpty],
// [ErrNotFound], [ErrLeaseLost], [ErrNoQueue], [ErrNoSchema], [ErrName],
// [ErrStopped] and [ErrOption]; errors.As finds [*EncodeError], [*DecodeError], [*LeaseLostError],
// and a [*pgconn.PgError] of the server.
//
// [*pgconn.PgError]: https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#PgError
package queue

package queue

import (
	"context"
	"time"
)

// Interceptor runs around an operation of a queue: for traces, metrics, headers,
// limits. It calls next once, with its ctx or one derived from it, and returns
// next's error or another. An operation whose interceptor does not call next does
// not take place; the error must say so.
//
// Several run in the order in which they were given, the first one outermost.
// They run in the goroutine of the caller or of the worker, so they must be safe
// for concurrent use. Sends that share a statement have an operation each.
//
//	func timed(ctx context.Context, op *queue.Operation, next func(context.Context) error) error {
//		began := time.Now()
//		err := next(ctx)
//		slog.InfoContext(ctx, string(op.Kind), "queue", op.Queue, "count", op.Count, "took", time.Since(began), "error", err)
//		return err
//	}
type Interceptor func(ctx context.Context, op *Operation, next func(context.Context) error) error

// Operation is one call of a queue, or of a handler.
type Operation struct {
	Kind  OperationKind
	Queue string
	// Count is the number of messages to send, settle or handle. For OpRead, OpPop,
	// OpRedrive and OpReplay it is the number read or moved, after next.
	Count int
	// IDs are the ids of the messages. OpSend, OpRead and OpPop have them after
	// next, OpRedrive and OpReplay have none.
	IDs []int64
	// Deliveries are the messages that a handler gets or, after next, the messages
	// read or popped. Other operations have none.
	Deliveries []Delivery

	headers map[string]any // to add to the messages sent
}

// Delivery is a message that was read, without its body.
type Delivery struct {
	ID         int64
	Reads      int            // deliveries so far, this one included
	EnqueuedAt time.Time      // by the server's clock
	Headers    map[string]any // nil without any; it must not be changed
}

// OperationKind is the kind of an operation.
type OperationKind string

const (
	// OpSend is Send, SendBatch, SendMessages or SendAsync, in a transaction or not.
	OpSend OperationKind = "send"
	// OpRead is Read.
	OpRead OperationKind = "read"
	// OpPop is Pop.
	OpPop OperationKind = "pop"
	// OpDelete is Delete or DeleteID.
	OpDelete OperationKind = "delete"
	// OpArchive is Archive or ArchiveID.
	OpArchive OperationKind = "archive"
	// OpSetVT is SetVT or SetVTID.
	OpSetVT OperationKind = "set vt"
	// OpHandle is one call of a handler of Consume, ConsumeTx or ConsumeBatch. The
	// engine settles its messages afterwards, many at a time; this is no operation.
	OpHandle OperationKind = "handle"
	// OpRedrive is admin.Redrive.
	OpRedrive OperationKind = "redrive"
	// OpReplay is admin.Replay.
	OpReplay OperationKind = "replay"
)

// AddHeader adds a header to every message that OpSend sends; call it before next. A
// header of that name that the caller gave takes precedence. In other operations it has
// no effect.
func (op *Operation) AddHeader(name string, value any) {
	if op.headers == nil {
		op.headers = map[string]any{}
	}
	op.headers[name] = value
}

package queue

import (
	"context"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/intercept"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/scan"
	"github.com/pgmq-go/pgmq/internal/table"
)

// core is a queue without its T.
type core struct {
	bound        table.Bound
	reader       *scan.Reader
	sender       *sender // on a pool; nil on a connection or a transaction
	perCaller    *bool   // SessionPerCaller; nil: the default for the pool
	observers    []Observer
	interceptors []Interceptor
}

// on returns the core on a pool, a connection or a transaction.
func (c core) on(bound table.Bound) core {
	if pool, ok := bound.Pool(); ok {
		if c.perCaller != nil {
			bound.PerCaller = *c.perCaller
		}
		c.sender = newSender(bound, pool)
	} else {
		c.sender = nil
	}
	c.bound = bound
	return c
}

// lowWater returns where reads start. Where the session depends on the caller, the
// messages that one caller sees say nothing about another's.
func (c core) lowWater() *scan.Reader {
	if c.bound.PerCaller {
		return &scan.Reader{}
	}
	return c.reader
}

// fail adds the place of err, and its meaning.
func (c core) fail(op string, err error) error { return c.bound.Fail(op, err) }

// pool returns the queue's pool, which operations of that name need.
func (c core) pool(operation string) (table.Pool, error) {
	pool, ok := c.bound.Pool()
	if !ok {
		return nil, option.Invalid("%s needs a *pgxpool.Pool, and the queue is on a %T", operation, c.bound.Conn)
	}
	return pool, nil
}

// queries are the generated queries; they carry no state.
var queries = db.New()

// around runs do with the interceptors around it. do sets the results in op.
func (c core) around(ctx context.Context, op *Operation, do func(context.Context) error) error {
	op.Queue = c.bound.Name
	return intercept.Run(ctx, c.interceptors, op, do)
}

// aroundHandler is around for a handler, whose error an interceptor may hide.
func (c core) aroundHandler(ctx context.Context, op *Operation, handle func(context.Context) error) error {
	op.Queue = c.bound.Name
	return intercept.Wrap(ctx, c.interceptors, op, handle)
}

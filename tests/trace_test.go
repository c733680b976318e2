package tests

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// tracer remembers the statements that went over its connections.
type tracer struct {
	mu         sync.Mutex
	statements []string
}

func (tr *tracer) add(sql string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.statements = append(tr.statements, sql)
}

func (tr *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	tr.add(data.SQL)
	return ctx
}

func (tr *tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (tr *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (tr *tracer) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	tr.add(data.SQL)
}

func (tr *tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (tr *tracer) count() int { return tr.countOf("") }

// countOf counts the statements that contain a text.
func (tr *tracer) countOf(text string) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	n := 0
	for _, statement := range tr.statements {
		if strings.Contains(statement, text) {
			n++
		}
	}
	return n
}

// turnCounter counts round trips: how often the client spoke after the server did.
type turnCounter struct{ n atomic.Int64 }

func (c *turnCounter) count() int64 { return c.n.Load() }

func (c *turnCounter) wrap(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &turnConn{Conn: conn, turns: c}, err
	}
}

type turnConn struct {
	net.Conn
	turns   *turnCounter
	talking atomic.Bool
}

func (c *turnConn) Write(p []byte) (int, error) {
	if !c.talking.Swap(true) {
		c.turns.n.Add(1)
	}
	return c.Conn.Write(p)
}

func (c *turnConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.talking.Store(false)
	}
	return n, err
}

package check

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Buffer is a bytes.Buffer for several goroutines.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Percentile of durations, which it sorts.
func Percentile(all []time.Duration, percent int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*percent/100]
}

// Tracer remembers the statements that went over its connections.
type Tracer struct {
	mu         sync.Mutex
	statements []string
}

func (tr *Tracer) add(sql string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.statements = append(tr.statements, sql)
}

// TraceQueryStart is part of pgx's tracers.
func (tr *Tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	tr.add(data.SQL)
	return ctx
}

// TraceQueryEnd is part of pgx's tracers.
func (tr *Tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart is part of pgx's tracers.
func (tr *Tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery is part of pgx's tracers.
func (tr *Tracer) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	tr.add(data.SQL)
}

// TraceBatchEnd is part of pgx's tracers.
func (tr *Tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// Count counts the statements.
func (tr *Tracer) Count() int { return tr.CountOf("") }

// Rest waits until no statement was sent for a tenth of a second.
func (tr *Tracer) Rest(t testing.TB) {
	t.Helper()
	count, since := tr.Count(), time.Now()
	Eventually(t, "no statements are sent", func() bool {
		if now := tr.Count(); now != count {
			count, since = now, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond
	})
}

// CountOf counts the statements that contain a text.
func (tr *Tracer) CountOf(text string) int {
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

// RoundTrips counts round trips: how often the client spoke after the server did.
type RoundTrips struct{ n atomic.Int64 }

// Count returns how many there were.
func (c *RoundTrips) Count() int64 { return c.n.Load() }

// Wrap makes a dialer count.
func (c *RoundTrips) Wrap(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &turnConn{Conn: conn, turns: c}, err
	}
}

type turnConn struct {
	net.Conn
	turns   *RoundTrips
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

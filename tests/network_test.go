package tests

import (
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// hole swallows what goes through its connections while it is open, and lets it
// go on when it is closed: a network that comes back.
type hole struct {
	mu     sync.Mutex
	closed chan struct{}
}

func newHole() *hole {
	h := &hole{closed: make(chan struct{})}
	close(h.closed)
	return h
}

func (h *hole) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = make(chan struct{})
}

func (h *hole) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
}

func (h *hole) pass() {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	<-closed
}

// slowConn passes a hole in both directions.
type slowConn struct {
	net.Conn
	hole *hole
}

func (c slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.hole.pass()
	return n, err
}

func (c slowConn) Write(p []byte) (int, error) {
	c.hole.pass()
	return c.Conn.Write(p)
}

// through is a pool of the tests' database whose connections go through a proxy
// and a hole.
func through(t *testing.T) (*pgxpool.Pool, *proxy, *hole) {
	t.Helper()
	config, h := pgtest.Pool().Config().ConnConfig, newHole()
	p := &proxy{addr: "127.0.0.1:0", dial: func(ctx context.Context) (net.Conn, error) {
		network, addr := "tcp", net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
		if config.Host[0] == '/' {
			network, addr = "unix", config.Host+"/.s.PGSQL."+strconv.Itoa(int(config.Port))
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return slowConn{conn, h}, err
	}}
	p.open(t)
	t.Cleanup(func() { p.close() })
	pool := newPool(t, func(c *pgxpool.Config) {
		c.MaxConns = 8
		c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", p.address())
		}
	})
	return pool, p, h
}

func TestCutConnectionsLoseNothingAndWorkGoesOn(t *testing.T) {
	t.Parallel()
	direct := pgtest.Queue[int64](t)
	pool, p, _ := through(t)
	q := open[int64](t, pool, direct.Name())
	l := sendLoad(t, q, 8, 5*time.Millisecond)
	c := consume(t, q, l.handle, queue.Workers(16), queue.VT(3*time.Second))
	for range 3 {
		l.resumed(t)
		time.Sleep(300 * time.Millisecond) // of load
		p.close()
		time.Sleep(700 * time.Millisecond) // of nothing
		p.open(t)
		if after := l.resumed(t); after > 10*time.Second {
			t.Errorf("work went on %v after the network did", after)
		}
	}
	l.settled(t, pgtest.Pool(), direct.Name())
	quiet(t, c)
	outages(t, 1, 6, c)
}

func TestASilentNetworkLosesNothingAndWorkGoesOn(t *testing.T) {
	t.Parallel()
	direct := pgtest.Queue[int64](t)
	pool, _, h := through(t)
	l := sendLoad(t, direct, 8, 5*time.Millisecond)
	consumers := []*consuming{
		consume(t, open[int64](t, pool, direct.Name()), l.handle, queue.Workers(16), queue.VT(time.Second)),
		consume(t, direct, l.handle, queue.Workers(2), queue.VT(time.Second)),
	}
	l.resumed(t)
	time.Sleep(300 * time.Millisecond) // of load
	h.open()
	time.Sleep(4 * time.Second) // of silence
	h.close()
	settled := func() int { return len(consumers[0].of(queue.Settled)) }
	before, began := settled(), time.Now()
	eventually(t, "the consumer behind the network works again", func() bool { return settled() > before })
	if after := time.Since(began); after > 10*time.Second {
		t.Errorf("work went on %v after the network did", after)
	}
	l.settled(t, pgtest.Pool(), direct.Name())
	quiet(t, consumers...)
}

func TestAHandlerIsToldBeforeAnotherGetsItsMessage(t *testing.T) {
	t.Parallel()
	const vt, n, hold, leave = time.Second, 3, 1, 2
	direct := pgtest.Queue[int64](t)
	pool, _, h := through(t)
	var begun, told, early atomic.Int64
	causes, silent := make(chan error, n), make(chan struct{})
	c := consume(t, open[int64](t, pool, direct.Name()), func(ctx context.Context, m *queue.Message[int64]) error {
		begun.Add(1)
		if m.Body == leave {
			<-silent
			return nil
		}
		<-ctx.Done()
		told.Add(1)
		causes <- context.Cause(ctx)
		return context.Cause(ctx)
	}, queue.VT(vt), queue.Workers(8))
	sendBatch(t, direct, []int64{hold, hold, hold, leave})
	eventually(t, "the handlers run", func() bool { return begun.Load() == n+1 })
	time.Sleep(2 * vt) // of beats
	equal(t, "leases lost", told.Load(), 0)

	h.open()
	t.Cleanup(h.close)
	began := time.Now()
	close(silent) // what ends now cannot be settled, and must not keep the others from being told
	again := make(chan time.Duration, n+1)
	other := consume(t, direct, func(_ context.Context, m *queue.Message[int64]) error {
		if m.Body == hold && told.Load() < n {
			early.Add(1)
		}
		again <- time.Since(began)
		return nil
	}, queue.VT(vt), queue.Workers(1))
	for range n + 1 {
		t.Logf("handled by another %v after the network fell silent", <-again)
	}
	equal(t, "messages that another got before their handler was told", early.Load(), 0)
	for range n {
		is(t, <-causes, queue.ErrLeaseLost)
	}
	quiet(t, other)
	h.close()
	equal(t, "messages", length(t, direct), 0)
	quiet(t, c)
	equal(t, "leases that it told were lost", len(c.of(queue.LeaseLost)), n+1)
}

package tests

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// proxy stands between a pool and the server, and can be taken away.
type proxy struct {
	dial func(ctx context.Context) (net.Conn, error)
	addr string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func (p *proxy) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", p.address())
	ok(t, err)
	p.mu.Lock()
	p.addr, p.listener = l.Addr().String(), l
	p.mu.Unlock()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := p.dial(context.Background())
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, server)
			if p.listener != l { // closed meanwhile
				client.Close()
				server.Close()
			}
			p.mu.Unlock()
			go forward(client, server)
			go forward(server, client)
		}
	}()
}

func (p *proxy) address() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

func forward(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
}

func (p *proxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
	}
	p.listener = nil
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func TestQueueWorksAgainWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	ctx, direct := t.Context(), pgtest.Queue[int64](t)
	config := pgtest.Pool().Config().ConnConfig
	p := &proxy{addr: "127.0.0.1:0", dial: func(ctx context.Context) (net.Conn, error) {
		network, addr := "tcp", net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
		if config.Host[0] == '/' {
			network, addr = "unix", config.Host+"/.s.PGSQL."+strconv.Itoa(int(config.Port))
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	p.open(t)
	t.Cleanup(func() { p.close() })
	pool := newPool(t, func(c *pgxpool.Config) {
		c.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", p.address())
		}
	})
	q := open[int64](t, pool, direct.Name())

	acknowledged := map[int64]bool{}
	for range 3 {
		acknowledged[send(t, q, 1)] = true
		held := read(t, q, 1)[0]
		p.close()
		// Everything fails, in a way that can be handled, and comes back.
		if id, err := q.Send(ctx, 2); err == nil {
			t.Fatalf("message %d was sent to nobody", id)
		}
		if _, err := q.Read(ctx, 1, queue.Wait(time.Hour)); err == nil {
			t.Fatal("something was read from nobody")
		}
		if err := q.Delete(ctx, held); err == nil {
			t.Fatal("something was deleted at nobody's")
		}
		p.open(t)
		eventually(t, "the queue works again", func() bool {
			id, err := q.Send(ctx, 3)
			if err == nil {
				acknowledged[id] = true
			}
			return err == nil
		})
		// The receipt outlived the connection that it was given on.
		ok(t, q.Delete(ctx, held))
		delete(acknowledged, held.ID)
	}
	for _, m := range read(t, direct, 100) {
		delete(acknowledged, m.ID)
	}
	equal(t, "the number of acknowledged messages that were lost", len(acknowledged), 0)
}

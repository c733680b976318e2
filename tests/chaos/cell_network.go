package main

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/tests/internal/netfault"
)

// networkCells disturb the links between the clients and the server.
func networkCells() []*cell {
	var p *netfault.Proxy
	connect := func(_ context.Context, a *arena) (err error) {
		p, err = a.proxy(a.server.URL)
		if err == nil {
			a.url, err = p.URL(a.url)
		}
		return err
	}
	var b *netfault.Bouncer
	return []*cell{
		{
			name: "cut", about: "every connection is cut, and none can be made for a while", start: own, connect: connect,
			inject: func(ctx context.Context, a *arena) error {
				return a.again(ctx, 500*time.Millisecond, 2*time.Second, func() error {
					p.Close()
					time.Sleep(a.between(0, vt))
					return p.Open()
				})
			},
		},
		{
			name: "silence", about: "what is sent does not arrive for longer than leases last, and arrives then", start: own, connect: connect,
			inject: func(ctx context.Context, a *arena) error {
				return a.again(ctx, time.Second, 2*time.Second, func() error {
					p.Silence()
					time.Sleep(a.between(vt/2, 3*vt))
					p.Speak()
					return nil
				})
			},
		},
		{
			name: "delay", about: "what is sent is late, by up to 200 ms each way", start: own, connect: connect,
			inject: func(ctx context.Context, a *arena) error {
				return a.again(ctx, 200*time.Millisecond, time.Second, func() error {
					p.Delay(a.between(0, 200*time.Millisecond))
					time.Sleep(a.between(vt/2, vt))
					p.Delay(0)
					return nil
				})
			},
		},
		{
			name: "pgbouncer", about: "PgBouncer, in transaction mode, is killed with -9 and started again", start: own,
			connect: func(ctx context.Context, a *arena) error {
				server, err := pgx.ParseConfig(a.server.URL)
				if err != nil {
					return err
				}
				if b, err = netfault.NewBouncer(&server.Config, "transaction"); err != nil {
					return err
				}
				a.cleanup(func() error {
					b.Remove()
					return nil
				})
				a.url = "postgres://anyone@" + net.JoinHostPort("127.0.0.1", strconv.Itoa(b.Port)) +
					"/postgres?sslmode=disable&default_query_exec_mode=exec"
				return b.Start(ctx)
			},
			inject: func(ctx context.Context, a *arena) error {
				return a.again(ctx, 500*time.Millisecond, 2*time.Second, func() error {
					b.Kill()
					time.Sleep(a.between(0, vt/2))
					return b.Start(context.WithoutCancel(ctx))
				})
			},
		},
	}
}

// proxy opens a proxy of a server.
func (a *arena) proxy(url string) (*netfault.Proxy, error) {
	at, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	p := netfault.NewProxy("tcp", net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port))))
	a.cleanup(func() error {
		p.Speak()
		p.Close()
		return nil
	})
	return p, p.Open()
}

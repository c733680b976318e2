package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/tests/history"
	"github.com/pgmq-go/pgmq/tests/internal/netfault"
)

// failoverCells promote a standby. The clients know both servers, by a DSN with two
// hosts and target_session_attrs=read-write.
func failoverCells() []*cell {
	of := func(name, about string, sync bool) *cell {
		f := &failover{sync: sync}
		return &cell{name: name, about: about, start: own, connect: f.connect, inject: f.inject}
	}
	return []*cell{
		of("failover", "the primary is cut off, and its synchronous standby promoted", true),
		of("failover async", "the primary is cut off, and its standby, which lags behind, promoted", false),
	}
}

// failover is a primary and its standby, each behind its proxy.
type failover struct {
	sync    bool
	standby *postgres.Server
	primary int // of proxies, the one of the arena's server
	proxies [2]*netfault.Proxy
}

func (f *failover) connect(ctx context.Context, a *arena) (err error) {
	if f.proxies[0], err = a.proxy(a.server.URL); err != nil {
		return err
	}
	if f.standby, err = a.server.Standby(ctx); err != nil {
		return err
	}
	a.cleanup(f.standby.Stop)
	if f.proxies[1], err = a.proxy(f.standby.URL); err != nil {
		return err
	}
	f.primary = 0
	dsn, err := url.Parse(a.server.URL)
	if err != nil {
		return err
	}
	dsn.Host = f.proxies[0].Addr() + "," + f.proxies[1].Addr()
	dsn.RawQuery += "&target_session_attrs=read-write&connect_timeout=2"
	a.url = dsn.String()
	return f.wait(ctx, a.server)
}

// wait makes commits on a primary wait for its standby from now on, if the cell tests that.
func (f *failover) wait(ctx context.Context, primary *postgres.Server) error {
	names := ""
	if f.sync {
		names = "*"
	}
	return execute(ctx, primary.URL, fmt.Sprintf("ALTER SYSTEM SET synchronous_standby_names = '%s'", names), "SELECT pg_reload_conf()")
}

func (f *failover) inject(ctx context.Context, a *arena) error {
	whole := context.WithoutCancel(ctx)
	for sleep(ctx, a.between(time.Second, 3*time.Second)) {
		old := a.server
		if err := a.fault(func() error { return f.promote(whole, a) }); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the time is over, as intended
		}
		if err := f.renew(whole, a, old); err != nil {
			return err
		}
	}
	return nil
}

// promote cuts off the primary, its standby first, and promotes that.
func (f *failover) promote(ctx context.Context, a *arena) error {
	var loss history.Event
	var err error
	if !f.sync {
		if loss, err = f.lag(ctx, a); err != nil {
			return err
		}
	}
	if err := execute(ctx, f.standby.URL, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	time.Sleep(a.between(0, 800*time.Millisecond)) // the primary goes on, alone
	f.proxies[f.primary].Close()
	loss.VT = time.Duration(history.Now() - loss.Begin)
	if err := execute(ctx, f.standby.URL, "SELECT pg_promote()"); err != nil {
		return err
	}
	a.server = f.standby
	f.primary = 1 - f.primary
	if f.sync {
		return nil
	}
	loss.Until, err = serverTime(ctx, a.server.URL)
	a.rec.Note(loss)
	return err
}

// lag is the beginning of a time in which the standby does not have all that the
// primary acknowledges.
func (f *failover) lag(ctx context.Context, a *arena) (loss history.Event, err error) {
	loss = history.Event{Op: history.Loss, Begin: history.Now()}
	if loss.Lease, err = serverTime(ctx, a.server.URL); err != nil {
		return loss, err
	}
	lsn, err := ask[string](ctx, a.server.URL, "SELECT pg_current_wal_flush_lsn()::text")
	for there := false; err == nil && !there; {
		there, err = ask[bool](ctx, f.standby.URL, "SELECT pg_last_wal_receive_lsn() >= $1::pg_lsn", lsn)
	}
	return loss, err
}

// renew stops the old primary and gives the new one a standby in its place.
func (f *failover) renew(ctx context.Context, a *arena, old *postgres.Server) (err error) {
	if err := old.Stop(); err != nil {
		return err
	}
	if f.standby, err = a.server.Standby(ctx); err != nil {
		return err
	}
	a.cleanup(f.standby.Stop)
	at, err := pgx.ParseConfig(f.standby.URL)
	if err != nil {
		return err
	}
	other := f.proxies[1-f.primary]
	other.Point("tcp", net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port))))
	if err := other.Open(); err != nil {
		return err
	}
	return f.wait(ctx, a.server)
}

// execute runs statements on a connection of their own.
func execute(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// ask returns one value, by a connection of its own.
func ask[V any](ctx context.Context, url, sql string, args ...any) (value V, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return value, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, sql, args...).Scan(&value)
	return value, err
}

func serverTime(ctx context.Context, url string) (time.Time, error) {
	return ask[time.Time](ctx, url, "SELECT clock_timestamp()")
}

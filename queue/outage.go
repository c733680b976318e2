package queue

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/generics"
)

// permanent tells whether an error will be the same at the next attempt: a
// consumer ends with it. All else is an outage.
func permanent(err error) bool {
	if errors.Is(err, ErrNoQueue) || errors.Is(err, ErrOption) || errors.Is(err, ErrName) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code == "42P05" { // a prepared statement of another client of a pooler
		return false
	}
	switch pg.Code[:min(len(pg.Code), 2)] {
	case "28", // invalid authorization
		"3D", // no such database
		"3F", // no such schema
		"42": // undefined, or no permission
		return true
	}
	return false
}

// divisible tells whether an error may be the fault of one row of several: a
// value, a constraint, a trigger or a policy. Sources: classes 21 cardinality, 22
// data, 23 integrity, 54 limits, P0 PL/pgSQL; 42501 is a policy's, too.
func divisible(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || errors.As(err, new(*pgconn.ConnectError)) {
		return false
	}
	switch pg.Code[:min(len(pg.Code), 2)] {
	case "21", "22", "23", "54", "P0":
		return true
	}
	return pg.Code == "42501"
}

// persist calls try until it succeeds, fails for good, or ctx ends. Outages in
// between are told once. try's ctx ends after the time for a statement.
func (c *consumer) persist(ctx context.Context, try func(context.Context) error) error {
	pause := generics.Exponential(100*time.Millisecond, 3*time.Second)
	for attempt := 1; ; attempt++ {
		once, cancel := context.WithTimeout(ctx, statementTime)
		err := try(once)
		cancel()
		switch {
		case err == nil:
			c.recovered(ctx)
			return nil
		case ctx.Err() != nil, permanent(err), divisible(err):
			return err
		}
		if attempt > 1 { // a lone failure is a connection that was cut
			c.outage(ctx, err)
		}
		if !sleep(ctx, pause(attempt)) {
			return context.Cause(ctx)
		}
	}
}

func (c *consumer) outage(ctx context.Context, err error) {
	if !c.down.Swap(true) {
		c.tell(ctx, Event{Kind: Outage, Err: explain(err)})
	}
}

func (c *consumer) recovered(ctx context.Context) {
	if c.down.Load() && c.down.Swap(false) {
		c.tell(ctx, Event{Kind: Recovered})
	}
}

// outlast returns a ctx that ends after limit, or a while after ctx does: for
// what must not be broken off in the middle.
func outlast(ctx context.Context, limit, after time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() {
		sleep(longer, after)
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}

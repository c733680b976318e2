package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// horizon is a steady load before, during and after an idle REPEATABLE READ
// transaction. While the transaction is open, vacuum may remove no dead row.
var horizon = &cell{
	id:        "e",
	name:      "horizon",
	title:     "Held horizon: a steady load before, during and after an idle REPEATABLE READ transaction",
	reference: bareTable.name,
	compared:  heldP99,
	columns:   []metric{rate, p50, p99, heldRate, heldP50, heldP99, afterRate, afterP99, recovery, dead, size},
	once:      true,
	variants: func(f form) []variant {
		var all []variant
		for _, perSecond := range f.heldAt {
			all = append(all, variant{name: grouped(perSecond) + "/s", x: perSecond, run: func(ctx context.Context, p *piece) error {
				return p.measureHorizon(ctx, perSecond)
			}})
		}
		return all
	},
}

func (p *piece) measureHorizon(ctx context.Context, perSecond float64) error {
	clean, release := p.form.held[0], p.form.held[0]+p.form.held[1]
	total := release + p.form.held[2]
	var held *pgx.Conn
	defer func() {
		if held != nil {
			held.Close(context.WithoutCancel(ctx))
		}
	}()
	_, line, err := p.load(ctx, perSecond, time.Duration(total)*time.Second, func(passed int) (err error) {
		deadRows, bytes, err := p.database.storage(ctx)
		if err != nil {
			return err
		}
		p.seconds = append(p.seconds, second{Dead: deadRows, Size: bytes})
		switch passed {
		case clean:
			held, err = p.database.hold(ctx)
		case release:
			err = held.Close(ctx)
			held = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := range p.seconds {
		h := line.between(i, i+1)
		p.seconds[i].Rate, p.seconds[i].P99 = float64(h.TotalCount()), milliseconds(h, 99)
		p.values[dead] = max(p.values[dead], p.seconds[i].Dead)
		p.values[size] = p.seconds[i].Size / 1e6
	}
	before, while, after := line.between(0, clean), line.between(clean, release), line.between(release, total)
	p.values[rate] = float64(before.TotalCount()) / float64(clean)
	p.values[p50], p.values[p99] = milliseconds(before, 50), milliseconds(before, 99)
	p.values[heldRate] = float64(while.TotalCount()) / float64(release-clean)
	p.values[heldP50], p.values[heldP99] = milliseconds(while, 50), milliseconds(while, 99)
	p.values[afterRate] = float64(after.TotalCount()) / float64(total-release)
	p.values[afterP99] = milliseconds(after, 99)
	if seconds, ok := recovered(p.seconds[release:], p.values[rate], p.values[p99]); ok {
		p.values[recovery] = seconds
	}
	return nil
}

// hold opens a transaction that has a snapshot, and leaves it idle.
func (d *database) hold(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, d.server.in(d.name))
	if err != nil {
		return nil, err
	}
	for _, sql := range []string{`BEGIN ISOLATION LEVEL REPEATABLE READ`, `SELECT count(*) FROM pg_class`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return nil, errors.Join(fmt.Errorf("hold the horizon: %w", err), conn.Close(ctx))
		}
	}
	return conn, nil
}

// recovered returns after how many seconds the load is as it was before the
// transaction: for three seconds in a row, at least 95 % of the rate and at most
// twice the p99.
func recovered(after []second, cleanRate, cleanP99 float64) (seconds float64, ok bool) {
	good := 0
	for i, s := range after {
		if s.Rate < 0.95*cleanRate || s.P99 > 2*cleanP99 {
			good = 0
			continue
		}
		if good++; good == 3 {
			return float64(i - 2), true
		}
	}
	return 0, false
}

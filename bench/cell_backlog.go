package main

import (
	"context"
	"errors"
	"fmt"
)

// backlogs is a queue with a great many messages behind, beside an empty one. Each
// is measured alone, since what is free of one takes the processor from the
// other; then both at once. With nobody behind, there is as much to read as was
// sent before, and afterwards as is being sent.
var backlogs = &cell{
	id:        "g",
	title:     "A backlog: sending from 16 goroutines, reading, and both at once",
	reference: bareTable.name,
	compared:  readRate,
	columns:   []metric{sendRate, readRate, bothSend, bothRead},
	once:      true,
	variants: func(f form) []variant {
		var all []variant
		for _, n := range append([]int{0}, f.behind...) {
			all = append(all, variant{name: grouped(float64(n)), x: float64(n), run: func(ctx context.Context, p *piece) error {
				return p.measureBacklog(ctx, n)
			}})
		}
		return all
	},
}

const backlogSenders = 16

func (p *piece) measureBacklog(ctx context.Context, behind int) error {
	if err := p.fillUp(ctx, behind, 1000); err != nil {
		return err
	}
	if err := p.database.quieten(ctx); err != nil {
		return err
	}
	if err := p.sendAlone(ctx, backlogSenders); err != nil {
		return err
	}
	// As long as sending: then the backlog is still there for what follows.
	short := *p
	short.form.drain = p.form.send
	if err := short.readAlone(ctx); err != nil {
		return fmt.Errorf("read: %w", err)
	}

	before := p.ledger.count()
	c := p.start(ctx, p.system.workers)
	n, took, err := p.sendFor(p.form.send, backlogSenders, func() error { return p.sendOne(ctx) })
	came := p.ledger.count() - before
	if err := errors.Join(err, c.stop(ctx)); err != nil {
		return err
	}
	p.values[bothSend], p.values[bothRead] = perSecond(n, took), perSecond(came, took)
	return p.ledger.check(false)
}

package main

import (
	"context"
	"errors"
	"fmt"
)

// backlogs compares a queue that holds many messages with an empty one. Sends and
// reads are measured separately first, because they compete for the processor, and
// then together. On the queue that starts empty, reads find the messages of the earlier
// sends, and then those of the running sends.
var backlogs = &cell{
	id:        "g",
	name:      "backlog",
	title:     "Backlog: sends from 16 goroutines, reads, and both at once, on a queue that already holds messages",
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
	if err := p.database.vacuum(ctx); err != nil {
		return err
	}
	if err := p.sendAlone(ctx, backlogSenders); err != nil {
		return err
	}
	// Reads stop after as long as the sends, so that messages are left for the rest.
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

package main

import (
	"context"
)

// payloads compares small messages with large ones: sent one a call, then drained.
var payloads = &cell{
	id:        "f",
	name:      "large",
	title:     "Large messages: of 100 B, 1 KiB, 16 KiB and 256 KiB, sent one a call from 8 goroutines, then drained",
	reference: bareTable.name,
	compared:  sendRate,
	columns:   []metric{sendRate, readRate},
	variants: func(form) []variant {
		var all []variant
		for _, one := range []struct {
			name string
			size int
		}{
			{"100 B", 100}, {"1 KiB", 1 << 10}, {"16 KiB", 16 << 10}, {"256 KiB", maxSize},
		} {
			all = append(all, variant{name: one.name, x: float64(one.size), size: one.size, run: measurePayload})
		}
		return all
	},
}

func measurePayload(ctx context.Context, p *piece) error {
	if err := p.sendAlone(ctx, 8); err != nil {
		return err
	}
	return p.readAlone(ctx)
}

// sendAlone measures sends of one message a call without a consumer.
func (p *piece) sendAlone(ctx context.Context, senders int) error {
	if err := p.warm(ctx, senders); err != nil {
		return err
	}
	n, took, err := p.sendFor(p.form.send, senders, func() error { return p.sendOne(ctx) })
	p.values[sendRate] = perSecond(n, took)
	return err
}

// readAlone measures how fast consumers drain the queue without senders.
func (p *piece) readAlone(ctx context.Context) error {
	if err := p.database.vacuum(ctx); err != nil {
		return err
	}
	n, took, err := p.drain(ctx, p.system.workers, p.form.drain)
	p.values[readRate] = perSecond(n, took)
	return err
}

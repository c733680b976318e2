package main

import (
	"context"
	"fmt"
)

// costs are the metrics of the server's cost of a message.
var costs = []metric{cpuPer, walPer, commitsPer}

// sends is a service that calls Send once per request.
var sends = &cell{
	id:        "a",
	name:      "sends",
	title:     "Sends: one message a call, from 1, 8, 64 and 256 goroutines",
	reference: bareTable.name,
	compared:  rate,
	columns:   append([]metric{rate}, costs...),
	variants: func(form) []variant {
		var all []variant
		for _, n := range []int{1, 8, 64, 256} {
			all = append(all, variant{name: fmt.Sprint(n), x: float64(n), run: func(ctx context.Context, p *piece) error {
				return p.measureSends(ctx, n, func() error { return p.sendOne(ctx) })
			}})
		}
		return all
	},
}

// batches is one goroutine that sends many messages a call.
var batches = &cell{
	id:        "b",
	name:      "batches",
	title:     "Batches: of 10, 100 and 1,000 messages, sent by one goroutine",
	reference: copyLimit.name,
	compared:  rate,
	columns:   append([]metric{rate}, costs...),
	variants: func(form) []variant {
		var all []variant
		for _, n := range []int{10, 100, 1000} {
			all = append(all, variant{name: fmt.Sprint(n), x: float64(n), run: func(ctx context.Context, p *piece) error {
				return p.measureSends(ctx, 1, func() error {
					return p.client.sendBatch(ctx, 0, p.ledger.take(n))
				})
			}})
		}
		return all
	},
}

// measureSends runs senders that repeat send, and sets the rate and the costs.
func (p *piece) measureSends(ctx context.Context, senders int, send func() error) error {
	if err := p.warm(ctx, senders); err != nil {
		return err
	}
	if err := send(); err != nil { // prepares the statement for batches too
		return err
	}
	meter, err := p.database.startMeter(ctx)
	if err != nil {
		return err
	}
	n, took, err := p.sendFor(p.form.send, senders, send)
	if err != nil {
		return err
	}
	p.values[rate] = perSecond(n, took)
	return meter.stop(ctx, n, p.values)
}

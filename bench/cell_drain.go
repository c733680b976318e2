package main

import (
	"context"
	"fmt"
)

// drains measures how fast consumers empty a queue. Its rate counts messages that
// were handled and settled, from the start of the consumer until it has stopped.
var drains = &cell{
	id:        "c",
	name:      "drain",
	title:     "Drain: a backlog, by 1, 16 and 128 workers with a no-op handler, and by the number of workers that suits each system best",
	reference: riverQueue.name,
	compared:  rate,
	columns:   append([]metric{rate}, costs...),
	variants: func(form) []variant {
		var all []variant
		for _, n := range []int{1, 16, 128, 0} {
			v := variant{name: fmt.Sprint(n), x: float64(n)}
			if n == 0 {
				v.name = "best"
			}
			v.run = func(ctx context.Context, p *piece) error {
				workers := n
				if n == 0 {
					workers = p.system.workers
				}
				return p.measureDrain(ctx, workers)
			}
			all = append(all, v)
		}
		return all
	},
}

func (p *piece) measureDrain(ctx context.Context, workers int) error {
	if err := p.fillUp(ctx, p.form.backlog, 1000); err != nil {
		return err
	}
	if err := p.database.vacuum(ctx); err != nil {
		return err
	}
	meter, err := p.database.startMeter(ctx)
	if err != nil {
		return err
	}
	n, took, err := p.drain(ctx, workers, p.form.drain)
	if err != nil {
		return err
	}
	p.values[rate] = perSecond(n, took)
	return meter.stop(ctx, n, p.values)
}

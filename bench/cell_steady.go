package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// steady is the load of a service: a fixed number of messages a second in and out,
// even when the system does not keep up.
var steady = &cell{
	id:        "d",
	name:      "steady",
	title:     "Steady load: messages a second in and out, one a call, and the time from when each was due until its handler began",
	reference: bareTable.name,
	compared:  p99,
	columns:   append([]metric{rate, p50, p95, p99, slowest}, costs...),
	variants: func(f form) []variant {
		var all []variant
		for _, perSecond := range f.rates {
			all = append(all, variant{name: grouped(perSecond) + "/s", x: perSecond, run: func(ctx context.Context, p *piece) error {
				return p.measureSteady(ctx, perSecond)
			}})
		}
		return all
	},
}

// manyQueues is the same load on one queue, and spread over many in one database.
var manyQueues = &cell{
	id:        "h",
	name:      "queues",
	title:     "Many queues: the same steady load on one queue, and spread over all queues of one database",
	reference: riverQueue.name,
	compared:  p99,
	columns:   append([]metric{rate, p50, p95, p99, slowest}, costs...),
	once:      true,
	variants: func(f form) []variant {
		var all []variant
		for _, n := range []int{1, f.queues} {
			all = append(all, variant{name: grouped(float64(n)), x: float64(n), queues: n, run: func(ctx context.Context, p *piece) error {
				return p.measureSteady(ctx, f.many)
			}})
		}
		return all
	},
}

// loadSenders is how many sends may run at once under a steady load. A system that
// keeps up needs fewer.
const loadSenders = 256

func (p *piece) measureSteady(ctx context.Context, perSecond float64) error {
	meter, line, err := p.load(ctx, perSecond, p.form.steady, nil)
	if err != nil {
		return err
	}
	length := int(p.form.steady.Seconds())
	inTime := line.between(0, length)
	p.values[rate] = float64(inTime.TotalCount()) / float64(length)
	all := line.between(0, len(line.seconds))
	p.values[p50], p.values[p95], p.values[p99] = milliseconds(all, 50), milliseconds(all, 95), milliseconds(all, 99)
	p.values[slowest] = milliseconds(all, 100)
	return meter.stop(ctx, all.TotalCount(), p.values)
}

// load sends perSecond messages a second for length, and consumes them. The load is
// open: each message has a due time, and latencies count from it, so that a late
// system cannot slow the load down. Messages that were still not sent at the end
// have no latency; the rate shows them. Messages that were sent get five more seconds
// to arrive. load calls during each second, unless it is nil.
//
// The meter runs from the first message on. The caller must stop it.
func (p *piece) load(ctx context.Context, perSecond float64, length time.Duration, during func(passed int) error) (*meter, *timeline, error) {
	c := p.start(ctx, p.system.workers)
	if err := p.warm(ctx, min(loadSenders, int(p.database.server.conns))); err != nil {
		return nil, nil, errors.Join(err, c.stop(ctx))
	}
	if _, err := p.waitForAll(ctx, c, 10*time.Second); err != nil {
		return nil, nil, errors.Join(err, c.stop(ctx))
	}
	meter, err := p.database.startMeter(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, c.stop(ctx))
	}

	line := &timeline{start: time.Now()}
	p.ledger.record(line)
	group, failed := errgroup.WithContext(ctx)
	p.sendOnTime(failed, group, line.start, perSecond, length)
	if during != nil {
		group.Go(func() error { return eachSecond(failed, line.start, length, during) })
	}
	err = group.Wait()
	whole := false
	if err == nil {
		whole, err = p.waitForAll(ctx, c, 5*time.Second)
	}
	p.ledger.record(nil)
	if err = errors.Join(err, c.stop(ctx)); err == nil {
		err = p.ledger.check(whole)
	}
	return meter, line, err
}

// sendOnTime sends each message when it is due, or as soon after as a sender is free.
func (p *piece) sendOnTime(ctx context.Context, group *errgroup.Group, start time.Time, perSecond float64, length time.Duration) {
	var next atomic.Int64
	for range loadSenders {
		group.Go(func() error {
			for ctx.Err() == nil {
				offset := time.Duration(float64(next.Add(1)-1) / perSecond * float64(time.Second))
				if offset >= length || time.Since(start) >= length {
					return nil
				}
				due := start.Add(offset)
				pause(ctx, time.Until(due))
				b := p.ledger.one(due)
				if err := p.client.send(ctx, p.queueOf(b.Seq), b); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
}

// eachSecond calls do at the end of each second.
func eachSecond(ctx context.Context, start time.Time, length time.Duration, do func(passed int) error) error {
	for passed := 1; passed <= int(length.Seconds()); passed++ {
		pause(ctx, time.Until(start.Add(time.Duration(passed)*time.Second)))
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(passed); err != nil {
			return err
		}
	}
	return nil
}

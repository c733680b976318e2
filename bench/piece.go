package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// piece is one measurement: one system in one variant of a cell in one round.
type piece struct {
	system   *system
	form     form
	database *database
	client   client
	queues   int
	ledger   *ledger
	values   values
	seconds  []second
}

// newPiece opens a system's client on fresh queues.
func newPiece(ctx context.Context, s *server, system *system, f form, v variant) (*piece, error) {
	p := &piece{
		system: system,
		form:   f,
		queues: max(v.queues, 1),
		ledger: newLedger(newFiller(f.seed, max(v.size, 100))),
		values: values{},
	}
	var err error
	if p.database, err = s.open(ctx, system, p.queues); err != nil {
		return nil, err
	}
	if p.client, err = system.open(ctx, p.database.pools, p.queues); err != nil {
		return nil, errors.Join(err, p.database.close())
	}
	return p, nil
}

// queueOf returns the queue of message number seq; messages are spread evenly.
func (p *piece) queueOf(seq int64) int { return int(seq % int64(p.queues)) }

// sendOne sends the next message.
func (p *piece) sendOne(ctx context.Context) error {
	b := p.ledger.one(time.Now())
	return p.client.send(ctx, p.queueOf(b.Seq), b)
}

// warm sends two messages by each sender, so that connections are open and
// statements prepared before the measurement.
func (p *piece) warm(ctx context.Context, senders int) error {
	var group errgroup.Group
	for range senders {
		group.Go(func() error { return errors.Join(p.sendOne(ctx), p.sendOne(ctx)) })
	}
	return group.Wait()
}

// sendFor runs senders that repeat send for length, each at least once. It returns
// how many messages were sent, and the time.
func (p *piece) sendFor(length time.Duration, senders int, send func() error) (int64, time.Duration, error) {
	var group errgroup.Group
	before, start := p.ledger.sent(), time.Now()
	for range senders {
		group.Go(func() error {
			for {
				if err := send(); err != nil || time.Since(start) >= length {
					return err
				}
			}
		})
	}
	err := group.Wait()
	return p.ledger.sent() - before, time.Since(start), err
}

// fillUp sends n messages in batches.
func (p *piece) fillUp(ctx context.Context, n, batch int) error {
	var group errgroup.Group
	group.SetLimit(2)
	for start := 0; start < n; start += batch {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			bodies := p.ledger.take(min(batch, n-start))
			return p.client.sendBatch(ctx, p.queueOf(bodies[0].Seq), bodies)
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("fill the queue: %w", err)
	}
	return nil
}

// consumer is a running consumer.
type consumer struct {
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // after ended
}

// start runs the system's consumer until stop is called.
func (p *piece) start(ctx context.Context, workers int) *consumer {
	ctx, cancel := context.WithCancel(ctx)
	c := &consumer{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		if c.err = p.client.consume(ctx, workers, p.ledger.handle); c.err == nil && ctx.Err() == nil {
			c.err = errors.New("the consumer ended by itself")
		}
	}()
	return c
}

// stop returns when all handled messages are settled, or ctx is done.
func (c *consumer) stop(ctx context.Context) error {
	c.cancel()
	select {
	case <-c.ended:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("the consumer does not stop: %w", ctx.Err())
	}
}

// waitForAll waits until all sent messages have come, for atMost. It reports whether
// all have.
func (p *piece) waitForAll(ctx context.Context, c *consumer, atMost time.Duration) (whole bool, err error) {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-p.ledger.all():
		return true, nil
	case <-timer.C:
		return false, nil
	case <-c.ended:
		return false, c.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// drain consumes the messages of the queues, for atMost. It returns how many were
// handled and settled, and the time.
func (p *piece) drain(ctx context.Context, workers int, atMost time.Duration) (int64, time.Duration, error) {
	before, start := p.ledger.count(), time.Now()
	c := p.start(ctx, workers)
	whole, err := p.waitForAll(ctx, c, atMost)
	err = errors.Join(err, c.stop(ctx))
	took := time.Since(start)
	if err == nil {
		err = p.ledger.check(whole)
	}
	return p.ledger.count() - before, took, err
}

// verify drains the remaining messages and checks that each came exactly once.
func (p *piece) verify(ctx context.Context) error {
	if p.ledger.count() < p.ledger.sent() {
		if _, _, err := p.drain(ctx, p.system.workers, time.Minute); err != nil {
			return err
		}
	}
	return p.ledger.check(true)
}

func perSecond(n int64, took time.Duration) float64 { return float64(n) / took.Seconds() }

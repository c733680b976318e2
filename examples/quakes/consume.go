package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/examples/quakes/internal/quakes"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

const (
	workers   = 4 // of each consumer
	maxReads  = 3 // deliveries, then a message is a dead letter
	backoff   = 200 * time.Millisecond
	stopAfter = 400 // deliveries, then one of the two consumers stops
)

// demo carries bodies of type T.
type demo[T any] struct {
	pool  *pgxpool.Pool
	queue *queue.Queue[T]              // tells the tally
	dead  string                       // the dead-letter queue
	quake func(T) (quakes.Quake, bool) // the seismic event in a body, if it is one
	tally *tally
}

// deliver sends all lines to two consumers, of which one stops on the way, until
// each message is handled or dead.
func (d *demo[T]) deliver(ctx context.Context, lines io.Reader) error {
	options := []queue.ConsumeOption{
		queue.Workers(workers),
		queue.MaxReads(maxReads),
		queue.DeadLetterTo(d.dead),
		queue.Backoff(func(int) time.Duration { return backoff }),
	}
	send := func(ctx context.Context) error {
		if err := sendLines(ctx, d.queue, lines, d.tally); err != nil {
			return err
		}
		return d.tally.inFlight(ctx, 0)
	}
	stay := func(ctx context.Context) error { return d.queue.Consume(ctx, d.earthquakes, options...) }
	leave := func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		var deliveries atomic.Int64
		leaving := queue.Observe(func(_ context.Context, e queue.Event) {
			if e.Kind == queue.EventDelivered && deliveries.Add(1) == stopAfter {
				stop()
			}
		})
		return d.queue.Consume(ctx, d.earthquakes, append(slices.Clone(options), leaving)...)
	}
	return during(ctx, send, stay, leave)
}

// redrive moves the dead letters back to the queue that they died in, to a handler
// that knows blasts.
func (d *demo[T]) redrive(ctx context.Context, progress admin.Progress) error {
	moved, err := admin.Redrive(ctx, d.pool, d.dead, progress)
	if err != nil {
		return err
	}
	d.tally.redriven(moved)
	all := func(context.Context, *queue.Message[T]) error { return nil }
	return during(ctx, d.tally.redrivenSettled, func(ctx context.Context) error {
		return d.queue.Consume(ctx, all, queue.Workers(workers))
	})
}

// during runs consumers for as long as work takes.
func during(ctx context.Context, work func(context.Context) error, consumers ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	consuming, stop := context.WithCancel(ctx)
	defer stop()
	group.Go(func() error {
		defer stop()
		return work(ctx)
	})
	group.Go(func() error { return queue.Run(consuming, consumers...) })
	return group.Wait()
}

var errOnPurpose = errors.New("failed on purpose")

// earthquakes is a handler that fails now and then, and knows no blasts: some
// it refuses, some it fails to handle as often as it may.
func (d *demo[T]) earthquakes(_ context.Context, m *queue.Message[T]) error {
	q, found := d.quake(m.Body)
	if found && q.Type != "earthquake" && q.Type != "" {
		err := fmt.Errorf("no handler for type %.20q", q.Type)
		if q.Type == "quarry blast" {
			return err
		}
		return queue.DeadLetter(err)
	}
	switch {
	case m.ID == 42 && m.Reads == 1:
		panic("on purpose")
	case m.ID%20 == 0 && m.Reads == 1, m.ID%100 == 0 && m.Reads == 2:
		return errOnPurpose
	}
	if found {
		d.tally.quake(q)
	}
	return nil
}

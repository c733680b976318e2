package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/quakes"
	"github.com/pgmq-go/pgmq/queue"
)

const (
	demoWorkers = 4
	demoVT      = 2 * time.Second
	readSize    = 10
	sendSize    = 100
	strong      = 4.0    // magnitude from which a quake is archived
	maxInFlight = 50_000 // sent and not settled: what the demo keeps in mind
)

// transport sends every line and settles every message.
func transport[T any](ctx context.Context, q *queue.Queue[T], lines io.Reader, quake func(T) (quakes.Quake, bool), t *tally) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer t.allSent()
		return feed(ctx, q, lines, t)
	})
	for range demoWorkers {
		group.Go(func() error { return work(ctx, q, quake, t) })
	}
	return group.Wait()
}

// parcel is a line that decoded.
type parcel[T any] struct {
	number int
	body   T
}

// feed sends the lines in batches. A line that cannot be sent is noted, and the
// rest goes on.
func feed[T any](ctx context.Context, q *queue.Queue[T], in io.Reader, t *tally) error {
	var codec generics.JSON[T]
	var batch []parcel[T]
	for line := range untilDone(ctx, readLines(ctx, in)) {
		body, err := codec.Decode(line.text)
		if line.err != nil {
			err = line.err
		}
		if err != nil {
			t.broken(line.number, err)
			continue
		}
		batch = append(batch, parcel[T]{line.number, body})
		if len(batch) == sendSize {
			if err := dispatch(ctx, q, batch, t); err != nil {
				return err
			}
			batch = nil
		}
		for t.inFlight() > maxInFlight && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // let the workers catch up
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return dispatch(ctx, q, batch, t)
}

// untilDone ranges over a channel until it is closed or ctx is done.
func untilDone[V any](ctx context.Context, values <-chan V) iter.Seq[V] {
	return func(yield func(V) bool) {
		for {
			select {
			case v, open := <-values:
				if !open || !yield(v) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// dispatch sends a batch without the messages that cannot be stored.
func dispatch[T any](ctx context.Context, q *queue.Queue[T], batch []parcel[T], t *tally) error {
	if len(batch) == 0 {
		return nil
	}
	bodies := make([]T, len(batch))
	for i, p := range batch {
		bodies[i] = p.body
	}
	ids, err := q.SendBatch(ctx, bodies)
	var bad *queue.EncodeError
	switch {
	case err == nil:
		t.sent(ids)
		return nil
	case !errors.As(err, &bad):
		return err
	case bad.Index >= 0:
		t.broken(batch[bad.Index].number, bad.Err)
		return dispatch(ctx, q, slices.Delete(batch, bad.Index, bad.Index+1), t)
	case len(batch) == 1:
		t.broken(batch[0].number, bad.Err)
		return nil
	}
	// One of them, and the server did not say which: look in halves.
	half := len(batch) / 2
	if err := dispatch(ctx, q, batch[:half:half], t); err != nil {
		return err
	}
	return dispatch(ctx, q, batch[half:], t)
}

// work reads and settles until all that was sent is settled.
func work[T any](ctx context.Context, q *queue.Queue[T], quake func(T) (quakes.Quake, bool), t *tally) error {
	for !t.finished() {
		msgs, err := q.Read(ctx, readSize, queue.VT(demoVT), queue.Wait(100*time.Millisecond))
		if err != nil {
			return err
		}
		var archive, remove []*queue.Message[T]
		for _, m := range msgs {
			t.delivered(m.Reads, m.VisibleAt.Add(-demoVT).Sub(m.EnqueuedAt))
			found, isQuake := quake(m.Body)
			switch {
			case failOnPurpose(m.ID, m.Reads):
				// Not settled: it comes back when its timeout ends.
			case isQuake && found.Magnitude >= strong:
				archive = append(archive, m)
			default:
				remove = append(remove, m)
			}
		}
		if err := settle(archive, t.archived, func() error { return q.Archive(ctx, archive...) }); err != nil {
			return err
		}
		if err := settle(remove, t.deleted, func() error { return q.Delete(ctx, remove...) }); err != nil {
			return err
		}
		for _, m := range slices.Concat(archive, remove) {
			if found, ok := quake(m.Body); ok {
				t.quake(found)
			}
		}
	}
	return nil
}

// failOnPurpose lets every twentieth message down once, every hundredth twice.
func failOnPurpose(id int64, reads int) bool {
	return id%20 == 0 && reads == 1 || id%100 == 0 && reads == 2
}

// settle does it and notes which messages it settled: all but those whose lease
// had passed to another worker, who settles them then.
func settle[T any](msgs []*queue.Message[T], note func([]int64), do func() error) error {
	err := do()
	var lost *queue.LeaseLostError
	if err != nil && !errors.As(err, &lost) {
		return fmt.Errorf("settling: %w", err)
	}
	var ids []int64
	for _, m := range msgs {
		if lost == nil || !slices.Contains(lost.IDs, m.ID) {
			ids = append(ids, m.ID)
		}
	}
	note(ids)
	return nil
}

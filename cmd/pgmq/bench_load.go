package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/pgmq-go/pgmq/internal/dial"
	"github.com/pgmq-go/pgmq/internal/inspect"
	"github.com/pgmq-go/pgmq/queue"
)

// load is the work that a bench does on a queue.
type load struct {
	Duration  time.Duration `json:"-"`
	Producers int           `json:"producers"`
	Consumers int           `json:"consumers"`
	Batch     int           `json:"batch"`
	Size      int           `json:"size_bytes"`
}

const (
	mostWaiting     = 10_000   // messages sent and not settled
	heaviestWaiting = 64 << 20 // bytes of those
	heaviestSends   = 256 << 20
	drainTime       = 30 * time.Second // for the messages left when the producers stop
)

func (l load) check() error {
	switch {
	case l.Duration <= 0:
		return errors.New("--duration must be positive")
	case min(l.Producers, l.Consumers, l.Batch) < 1 || max(l.Producers, l.Consumers, l.Batch) > 10_000:
		return errors.New("--producers, --consumers and --batch must be 1 to 10,000 each")
	case l.Size < leastSize || l.Size > heaviestWaiting:
		return fmt.Errorf("--size must be %d bytes to 64 MiB", leastSize)
	case l.Producers*l.Batch*l.Size > heaviestSends:
		return errors.New("--producers times --batch times --size must be at most 256 MiB")
	}
	return nil
}

// waiting is how many messages may be sent and not settled: for each producer at
// least one batch.
func (l load) waiting() int {
	return max(l.Producers*l.Batch, min(mostWaiting, heaviestWaiting/l.Size))
}

// pool returns one with a connection for every producer, in reason. It prepares its
// statements, as programs do, unless there is a pooler or the DSN says otherwise.
func (l load) pool(ctx context.Context, t *target) (*pgxpool.Pool, error) {
	config, err := t.config()
	if err != nil {
		return nil, err
	}
	config.MaxConns = max(config.MaxConns, int32(min(l.Producers, 32)+4)) //nolint:gosec // 36 at most
	pool, err := dial.Pool(ctx, config)
	if err != nil || dial.NamesExecMode(t.url()) {
		return pool, err
	}
	between, err := dial.PoolerOf(ctx, pool)
	if err == nil && between != dial.NoPooler {
		return pool, nil
	}
	pool.Close()
	if err != nil {
		return nil, err
	}
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	return dial.Pool(ctx, config)
}

// mark is at the beginning of every body of a bench, so that it knows its own.
const (
	markBytes = 26
	leastSize = markBytes + len(`""`)
)

// body returns a string as JSON that does not compress, and its mark.
func (l load) body() (body, []byte) {
	text := make([]byte, 0, l.Size)
	text = append(text, '"')
	for len(text) < l.Size-1 {
		text = append(text, rand.Text()...)
	}
	text = append(text[:l.Size-1], '"')
	return text, text[:1+markBytes]
}

// run measures on an empty queue, and leaves it empty.
func (l load) run(cmd *cobra.Command, pool *pgxpool.Pool, name string) (r *result, err error) {
	r = newResult(l, name)
	if err := r.measureBase(cmd.Context(), pool); err != nil {
		return nil, err
	}
	room := semaphore.NewWeighted(int64(l.waiting()))
	q, err := queue.New[body](pool, name, queue.Observe(func(_ context.Context, e queue.Event) {
		r.observe(e)
		if e.Kind == queue.EventSettled {
			room.Release(1)
		}
	}))
	if err != nil {
		return nil, err
	}
	message, mark := l.body()
	defer func() { err = andLeftBehind(cmd.Context(), err, sweep(cmd.Context(), q, mark)) }()

	bar := newProgress(cmd, "settled")
	defer bar.end()
	ctx, stop := context.WithCancelCause(cmd.Context())
	defer stop(nil)
	handle := func(_ context.Context, m *queue.Message[body]) error {
		if bytes.HasPrefix(m.Body, mark) {
			return nil
		}
		err := fmt.Errorf("message %d of queue %q is not of this bench, and stays", m.ID, name)
		stop(err)
		return queue.RetryIn(0, err)
	}
	first, err := inspect.NextTransaction(ctx, pool)
	if err != nil {
		return nil, err
	}
	err = during(ctx, func(ctx context.Context) error {
		return l.send(ctx, q, room, message, r, bar)
	}, func(ctx context.Context) error {
		return q.Consume(ctx, handle, queue.Workers(l.Consumers), queue.Prefetch(min(1000, l.waiting())))
	})
	if cause := context.Cause(ctx); err != nil && cause != nil && cmd.Context().Err() == nil {
		err = cause
	}
	if err != nil {
		return nil, err
	}
	last, err := inspect.NextTransaction(cmd.Context(), pool)
	r.finish(last - first)
	return r, err
}

// send starts the producers, and returns when all is settled.
func (l load) send(ctx context.Context, q *queue.Queue[body], room *semaphore.Weighted, message body, r *result, bar *progress) error {
	batch := make([]body, l.Batch)
	for i := range batch {
		batch[i] = message
	}
	group, ctx := errgroup.WithContext(ctx)
	sending, stop := context.WithTimeout(ctx, l.Duration)
	defer stop()
	longer, cancel := withGrace(ctx) // a send that was cut off might arrive after the sweep
	defer cancel()
	r.start()
	for range l.Producers {
		group.Go(func() error {
			for room.Acquire(sending, int64(l.Batch)) == nil {
				var err error
				if l.Batch == 1 {
					_, err = q.Send(longer, message)
				} else {
					_, err = q.SendBatch(longer, batch)
				}
				if err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	group.Go(func() error { return l.watch(ctx, sending, r, bar) })
	return group.Wait()
}

// watch shows the progress until all that was sent is settled, for a while after
// sending has ended.
func (l load) watch(ctx, sending context.Context, r *result, bar *progress) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ended := sending.Done()
	var late <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			r.stop()
			ended, late = nil, time.After(drainTime)
		case <-late:
			return fmt.Errorf("%s not settled %v after the last was sent", count(r.left(), "message"), drainTime)
		case <-tick.C:
			bar.at(r.settledSoFar())
			if late != nil && r.left() == 0 {
				return nil
			}
		}
	}
}

// sweep deletes the messages that the bench has left in its queue, also after
// ctrl-C.
func sweep(ctx context.Context, q *queue.Queue[body], mark []byte) error {
	ctx, cancel := afterCtrlC(ctx)
	defer cancel()
	for from := int64(0); ; {
		msgs, err := q.Peek(ctx, inMemory, queue.FromID(from))
		if err != nil || len(msgs) == 0 {
			return err
		}
		var ours []int64
		for _, m := range msgs {
			if bytes.HasPrefix(m.Body, mark) {
				ours = append(ours, m.ID)
			}
			from = m.ID + 1
		}
		if _, err := q.DeleteID(ctx, ours...); err != nil {
			return err
		}
	}
}

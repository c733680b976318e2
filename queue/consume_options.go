package queue

import (
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/table"
)

// ConsumeOption is an option of Consume, ConsumeTx and ConsumeBatch: [Workers],
// [Prefetch], [VT], [MaxLease], [Grace], [Backoff], [MaxReads], [DeadLetterTo],
// [KeepArchive], [Batch] or [Poll].
type ConsumeOption interface {
	applyConsume(o *consumeOptions) error
}

// Workers is how many handlers run at once. The default, also of Workers(0), is 8.
type Workers int

// Prefetch is how many messages may at most be fetched before a worker is free
// for them. Up to there the number follows the work: handlers of less than some
// milliseconds are fetched for by the hundred, slow ones one by one, so that no
// message waits behind a slow one while another process is idle. Large messages
// are fetched 2 MiB at a time, and no more than 16 MiB of them ahead, judging by
// the size of the latest. The default is 1,000; Prefetch(0) fetches only for
// workers that are free.
type Prefetch int

// MaxLease is how long one delivery may take. Until then its lease is extended
// for as long as the handler runs; after that it runs out, the handler's ctx
// ends with ErrLeaseLost, and the message comes back. The default, also of
// MaxLease(0), is 12 hours.
type MaxLease time.Duration

// Grace is how long Consume waits for running handlers after its ctx has ended.
// In the last tenth of it, at most 5 s, the handlers' contexts are over. The
// default, also of Grace(0), is 25 s.
type Grace time.Duration

// Backoff says how long a message stays hidden after a failed delivery, the
// first one being number 1. The default is 1 s, doubling up to 5 minutes, each
// shortened by up to half at random. What is below 0 counts as 0.
type Backoff func(reads int) time.Duration

// MaxReads is how many deliveries a message gets. When the last one fails, or
// never ends, it is a dead letter. The default is 0: no limit.
//
// PGMQ clients that read without handling count as well: it is the message's
// number of reads.
type MaxReads int

// DeadLetterTo names the queue that dead letters go to. The default is none:
// they are archived, marked as failed.
type DeadLetterTo string

// KeepArchive has messages archived when they are done. The default is that they
// are deleted.
type KeepArchive struct{}

// Batch has ConsumeBatch hand out up to N messages at once; when there are
// fewer, after waiting for more for up to Wait. The default is 100 and 0, no
// waiting. Wait must be less than half of the VT.
type Batch struct {
	N    int
	Wait time.Duration
}

// Poll is the longest pause between two looks at an empty queue while wake-ups
// cannot be received: behind a transaction pooler, or while the listening
// connection is lost. The default, also of Poll(0), is 500 ms.
type Poll time.Duration

type consumeOptions struct {
	workers      int
	prefetch     int
	vt           time.Duration
	maxLease     time.Duration
	grace        time.Duration
	backoff      func(reads int) time.Duration
	maxReads     int
	deadLetterTo string // "" for the archive
	done         act    // what becomes of a message that is done
	batch        Batch
	poll         time.Duration
}

// leastVT leaves time to extend a lease before it ends.
const leastVT = 100 * time.Millisecond

func consumeOptionsOf(opts []ConsumeOption) (consumeOptions, error) {
	o := consumeOptions{
		workers:  8,
		prefetch: 1000,
		vt:       defaultVT,
		maxLease: 12 * time.Hour,
		grace:    25 * time.Second,
		backoff:  generics.Exponential(time.Second, 5*time.Minute),
		done:     actDelete,
		batch:    Batch{N: 100},
		poll:     500 * time.Millisecond,
	}
	for _, opt := range opts {
		if opt == nil {
			return o, errNilOption
		}
		if err := opt.applyConsume(&o); err != nil {
			return o, err
		}
	}
	if o.vt < leastVT {
		return o, fmt.Errorf("%w: VT is %v; a consumer needs at least %v", ErrOption, o.vt, leastVT)
	}
	if 2*o.batch.Wait >= o.vt {
		return o, fmt.Errorf("%w: Batch waits for %v, half of the VT or more", ErrOption, o.batch.Wait)
	}
	return o, nil
}

func (w Workers) applyConsume(o *consumeOptions) error {
	return atLeast(0, "Workers", int(w), func() {
		if w > 0 {
			o.workers = int(w)
		}
	})
}

func (p Prefetch) applyConsume(o *consumeOptions) error {
	return atLeast(0, "Prefetch", int(p), func() { o.prefetch = int(p) })
}

func (n MaxReads) applyConsume(o *consumeOptions) error {
	return atLeast(0, "MaxReads", int(n), func() { o.maxReads = int(n) })
}

func (vt VT) applyConsume(o *consumeOptions) error {
	var read readOptions
	err := vt.applyRead(&read)
	o.vt = read.vt
	return err
}

func (d MaxLease) applyConsume(o *consumeOptions) error {
	return orDefault("MaxLease", time.Duration(d), &o.maxLease)
}

func (d Grace) applyConsume(o *consumeOptions) error {
	return orDefault("Grace", time.Duration(d), &o.grace)
}

func (d Poll) applyConsume(o *consumeOptions) error {
	return orDefault("Poll", time.Duration(d), &o.poll)
}

func (b Backoff) applyConsume(o *consumeOptions) error {
	if b == nil {
		return fmt.Errorf("%w: Backoff is nil", ErrOption)
	}
	o.backoff = b
	return nil
}

func (name DeadLetterTo) applyConsume(o *consumeOptions) error {
	if err := table.CheckName(string(name)); err != nil {
		return fmt.Errorf("DeadLetterTo %q: %w: %w", string(name), ErrName, err)
	}
	o.deadLetterTo = string(name)
	return nil
}

func (KeepArchive) applyConsume(o *consumeOptions) error {
	o.done = actArchive
	return nil
}

func (b Batch) applyConsume(o *consumeOptions) error {
	if b.N < 1 || b.Wait < 0 {
		return fmt.Errorf("%w: Batch of %d messages, waiting for %v", ErrOption, b.N, b.Wait)
	}
	o.batch = b
	return nil
}

// atLeast applies an option that is not below its least value.
func atLeast(least int, name string, n int, apply func()) error {
	if n < least {
		return fmt.Errorf("%w: %s is %d, below %d", ErrOption, name, n, least)
	}
	apply()
	return nil
}

// orDefault sets a duration, unless it is 0.
func orDefault(name string, d time.Duration, to *time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%w: %s is %v, below 0", ErrOption, name, d)
	}
	if d > 0 {
		*to = d
	}
	return nil
}

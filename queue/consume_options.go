package queue

import (
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/engine"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/table"
)

// ConsumeOption is an option of Consume, ConsumeTx and ConsumeBatch: [Workers],
// [Prefetch], [VT], [MaxLease], [HandlerTimeout], [ShutdownGrace], [Backoff],
// [MaxReads], [DeadLetterTo], [ArchiveDone], [PollInterval] or [Observe]; for
// ConsumeBatch also [BatchSize] and [BatchWait], which the others refuse.
type ConsumeOption interface {
	applyConsume(o *consumeOptions) error
}

// Workers is the number of handlers that run at once. The default, also of
// Workers(0), is 8; in ConsumeTx it is less if the pool has fewer connections than
// that needs.
type Workers int

// Prefetch is the most messages that are fetched before a worker is free for them.
// Up to there the number follows the work: several hundred for handlers that take
// less than some milliseconds; none for slow ones, so that no message waits for a
// slow handler while another process is idle. Large messages are fetched about 2 MiB
// at a time, and at most about 16 MiB ahead. The default, also of Prefetch(0), is
// 1,000. [NoPrefetch] fetches only for workers that are free.
type Prefetch int

// NoPrefetch fetches only for workers that are free.
const NoPrefetch Prefetch = -1

// MaxLease is the longest time for one delivery. Until then its lease is extended
// while the handler runs. After it the lease runs out, the handler's ctx ends with
// ErrLeaseLost, and the message comes back. The default, also of MaxLease(0), is
// 12 hours.
type MaxLease time.Duration

// HandlerTimeout ends a handler's ctx after a time, counted from the call. The
// handler chooses its result then; an error is retried like any other. The
// default, also of HandlerTimeout(0), is none.
type HandlerTimeout time.Duration

// ShutdownGrace is the time for which Consume waits for running handlers after its
// ctx has ended. In the last tenth of it, at most 5 s, the handlers' contexts end,
// too. The default, also of ShutdownGrace(0), is 25 s.
type ShutdownGrace time.Duration

// Backoff returns how long a message stays hidden after a failed delivery; the first
// delivery is number 1. The default, also of a nil Backoff, is 1 s, doubling up to
// 5 minutes, each shortened at random by up to half. A result below 0 counts as 0. When
// it panics, the default holds for that message, and [EventPanicked] tells.
type Backoff func(reads int) time.Duration

// MaxReads is the number of deliveries that a message gets. When the last one fails
// or never ends, the message becomes a dead letter. The default is 0: no limit.
//
// It counts reads of all clients, also of those that read without handling.
type MaxReads int

// DeadLetterTo names the queue for dead letters. By default, also for
// DeadLetterTo(""), they are archived, marked as failed.
type DeadLetterTo string

// ArchiveDone archives messages when they are done. By default they are deleted.
type ArchiveDone struct{}

// BatchSize is the most messages that one call of a BatchHandler gets. The default,
// also of BatchSize(0), is 100.
type BatchSize int

// BatchWait is the time for which a batch that is not full waits for more messages.
// The default is 0: no waiting. It must be less than half of the VT.
type BatchWait time.Duration

// PollInterval is the longest pause between two scans of an empty queue while
// notifications cannot be received: behind a transaction pooler, or while the
// listening connection is lost. The default, also of PollInterval(0), is 500 ms.
type PollInterval time.Duration

type consumeOptions struct {
	engine.Options
	batches   bool    // BatchSize or BatchWait was given
	custom    Backoff // nil for the default
	observers []Observer
}

// leastVT leaves time to extend a lease before it ends.
const leastVT = 100 * time.Millisecond

// consumeOptionsOf returns the options of a consumer; batches says that its handler
// takes several messages.
func consumeOptionsOf(opts []ConsumeOption, batches bool) (consumeOptions, error) {
	o := consumeOptions{Options: engine.Options{
		Prefetch:     1000,
		VT:           defaultVT,
		MaxLease:     12 * time.Hour,
		Grace:        25 * time.Second,
		Backoff:      generics.Exponential(time.Second, 5*time.Minute),
		Done:         engine.Delete,
		BatchSize:    100,
		PollInterval: 500 * time.Millisecond,
	}}
	if err := option.Apply(&o, opts, ConsumeOption.applyConsume); err != nil {
		return o, err
	}
	switch {
	case o.VT < leastVT:
		return o, option.Invalid("VT is %v; a consumer needs at least %v", o.VT, leastVT)
	case o.batches && !batches:
		return o, option.Invalid("BatchSize and BatchWait are for ConsumeBatch")
	case 2*o.BatchWait >= o.VT:
		return o, option.Invalid("BatchWait is %v, half of the VT or more", o.BatchWait)
	}
	if !batches {
		o.BatchSize = 1
	}
	return o, nil
}

func (w Workers) applyConsume(o *consumeOptions) error {
	return option.OrDefault("Workers", int(w), &o.Workers)
}

func (p Prefetch) applyConsume(o *consumeOptions) error {
	if p == NoPrefetch {
		o.Prefetch = 0
		return nil
	}
	return option.OrDefault("Prefetch", int(p), &o.Prefetch)
}

func (n MaxReads) applyConsume(o *consumeOptions) error {
	o.MaxReads = 0
	return option.OrDefault("MaxReads", int(n), &o.MaxReads)
}

func (vt VT) applyConsume(o *consumeOptions) error { return vt.apply(&o.VT) }

func (d MaxLease) applyConsume(o *consumeOptions) error {
	return option.OrDefault("MaxLease", time.Duration(d), &o.MaxLease)
}

func (d HandlerTimeout) applyConsume(o *consumeOptions) error {
	return option.OrDefault("HandlerTimeout", time.Duration(d), &o.HandlerTimeout)
}

func (d ShutdownGrace) applyConsume(o *consumeOptions) error {
	return option.OrDefault("ShutdownGrace", time.Duration(d), &o.Grace)
}

func (d PollInterval) applyConsume(o *consumeOptions) error {
	return option.OrDefault("PollInterval", time.Duration(d), &o.PollInterval)
}

func (b Backoff) applyConsume(o *consumeOptions) error {
	o.custom = b
	return nil
}

func (name DeadLetterTo) applyConsume(o *consumeOptions) error {
	if name != "" {
		if err := table.CheckName(string(name)); err != nil {
			return fmt.Errorf("DeadLetterTo %q: %w: %w", string(name), ErrInvalidName, err)
		}
	}
	o.DeadLetterTo = string(name)
	return nil
}

// inTx says that handlers run in transactions, as ConsumeTx has them.
type inTx struct{}

func (inTx) applyConsume(o *consumeOptions) error {
	o.Tx = true
	return nil
}

func (ArchiveDone) applyConsume(o *consumeOptions) error {
	o.Done = engine.Archive
	return nil
}

func (n BatchSize) applyConsume(o *consumeOptions) error {
	o.batches = true
	return option.OrDefault("BatchSize", int(n), &o.BatchSize)
}

func (d BatchWait) applyConsume(o *consumeOptions) error {
	o.batches = true
	return option.OrDefault("BatchWait", time.Duration(d), &o.BatchWait)
}

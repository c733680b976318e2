package engine

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/scan"
)

// loop fetches messages as soon as there are some: it performs the actions of pace.next.
// It belongs to the goroutine that fetches.
type loop struct {
	source
	pace      pace
	readAt    time.Time // when the last read began
	polling   bool      // an event said that notifications do not arrive
	awaitRoom func(context.Context) error
}

// fetch returns batches of messages, at least one.
func (l *loop) fetch(ctx context.Context, room func() int) ([]batch, error) {
	for {
		if err := l.awaitRoom(ctx); err != nil {
			return nil, err
		}
		if err := l.waitToRead(ctx, &l.pace); err != nil {
			return nil, err
		}
		n := l.clamp(room() * l.options.BatchSize)
		l.readAt = time.Now()
		deliveries, err := l.claim(ctx, n)
		if err != nil {
			return nil, err
		}
		l.pace = l.pace.found(len(deliveries), n)
		if len(deliveries) > 0 {
			l.listener.Found(l.key)
			// There may be more, and the other consumers got no notification of them.
			l.listener.Wake(l.key)
			return l.pack(ctx, deliveries)
		}
		l.listener.FoundNothing(l.key, scan.RestAfter(l.took))
	}
}

// pack makes batches. A single batch that is not full waits for more messages, for
// up to BatchWait.
func (l *loop) pack(ctx context.Context, deliveries []*Delivery) ([]batch, error) {
	end := time.Now().Add(l.options.BatchWait)
	for len(deliveries) < l.options.BatchSize && time.Now().Before(end) && ctx.Err() == nil {
		waiting, cancel := context.WithDeadline(ctx, end)
		l.snapshot = snapshot{}
		_ = l.waitToRead(waiting, &pace{state: empty, misses: l.pace.misses})
		cancel()
		more, err := l.claim(ctx, l.clamp(l.options.BatchSize-len(deliveries)))
		if err != nil {
			break // hand out the messages fetched; the next fetch meets the error again
		}
		deliveries = append(deliveries, more...)
	}
	var batches []batch
	for part := range slices.Chunk(deliveries, l.options.BatchSize) {
		batches = append(batches, part)
	}
	return batches, nil
}

// waitToRead returns when there may be something to read, or with the cause of ctx.
func (l *loop) waitToRead(ctx context.Context, p *pace) error {
	var waiter *generics.Waiter[string]
	defer func() {
		if waiter != nil {
			waiter.Stop()
		}
	}()
	for {
		if p.idle() && !p.scanned {
			if err := l.sweep(ctx, false); err != nil {
				return err
			}
		}
		var next action
		switch *p, next = p.next(l.facts(*p)); next.do {
		case read:
			return nil
		case rest:
			if !generics.Sleep(ctx, next.wait) {
				return context.Cause(ctx)
			}
		case subscribe:
			// The waiter enters first: a notification that comes right after the
			// subscription must find it.
			waiter = l.listener.Wait(l.key)
			ok := l.subscribe(ctx)
			l.schedule.MayComeBack()
			*p = p.subscribed(ok, l.snapshot.coveredBelow(l.listener.Subscription(l.key)))
			l.snapshot = snapshot{}
		case scanOnce, scanQueue:
			if next.do == scanOnce && !l.listener.MayScan(l.key, next.wait) {
				continue
			}
			found, err := l.scan(ctx, l.schedule.First(), scan.NoEnd)
			if err != nil {
				return err
			}
			*p = p.scanFound(found.NextID, found.OldestRunning)
		case await:
			if err := l.await(ctx, waiter, p, next.wait); err != nil {
				return err
			}
		}
	}
}

// await waits for a notification, for as long as the decision says.
func (l *loop) await(ctx context.Context, waiter *generics.Waiter[string], p *pace, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-waiter.C:
		*p = p.woken()
	case <-timer.C:
		whole, visible := wait == p.pause, l.schedule.Visible(time.Now())
		*p = p.waited(whole, visible)
		if whole && !visible {
			l.schedule.MayComeBack()
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// facts gathers the inputs of a decision.
func (l *loop) facts(p pace) facts {
	now := time.Now()
	return facts{
		sinceRead:    now.Sub(l.readAt),
		sendersEnded: l.listener.MayHaveEnded(p.senders, p.pause),
		visible:      l.schedule.Visible(now),
		due:          min(l.schedule.Next(now), l.nextLost(now)),
		jitter:       rand.Float64(),
		quietPause:   quietPause(l.options.VT),
		pollInterval: l.options.PollInterval,
	}
}

// subscribe asks senders to notify, and reports whether notifications will arrive.
func (l *loop) subscribe(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if l.listener.Subscribe(asking, l.key) == nil {
		if l.polling {
			l.polling = false
			l.observe(ctx, Event{Kind: EventListening})
		}
		return true
	}
	if _, failed := l.listener.State(); failed != nil && !l.polling {
		l.polling = true
		l.observe(ctx, Event{Kind: EventPolling, Err: failed})
	}
	return false
}

package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/history"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// record runs a producer and two consumers for a while, in a database of their
// own, and returns their history. change changes their pools.
func record(t *testing.T, seed uint64, d time.Duration, change func(*pgxpool.Config)) []*history.Event {
	t.Helper()
	direct := pgtest.Database(t)
	pgtest.Migrate(t, direct)
	if err := errors.Join(Prepare(t.Context(), direct), admin.Create(t.Context(), direct, "void")); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	rec := history.NewRecorder(&file, "census")
	ends := make(chan error, 3)
	start := func(name string, seed uint64, pool *pgxpool.Pool, run func(*Client, context.Context) error) context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		c := &Client{Pool: pool, Rec: rec.As(name), Name: name, Seed: seed, VT: time.Second, Every: 20 * time.Millisecond}
		go func() { ends <- run(c, ctx) }()
		return cancel
	}
	open := func() *pgxpool.Pool {
		config := direct.Config()
		change(config)
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		return pool
	}
	stopProducer := start("p", 100*seed, open(), (*Client).Produce)
	var stops []context.CancelFunc
	for i := range 2 {
		stops = append(stops, start(fmt.Sprint("c", i), 100*seed+uint64(i+1), open(), (*Client).Consume))
	}
	time.Sleep(d)
	stopProducer()
	emptied := false
	for end := time.Now().Add(check.Patience); !emptied && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		left, err := Left(t.Context(), direct)
		emptied = err == nil && left == 0
	}
	for _, stop := range stops {
		stop()
	}
	for range cap(ends) {
		if err := check.Receive(t, ends); err != nil {
			t.Error(err)
		}
	}
	if err := Census(t.Context(), direct, rec, emptied); err != nil {
		t.Fatal(err)
	}
	events, err := history.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestAHistoryOfSoundQueuesBreaksNoRuleUntilItIsChanged(t *testing.T) {
	check.Parallel(t)
	// On a machine that is busy less happens.
	for d, enough := 4*time.Second, false; !enough; d *= 2 {
		events := record(t, 1, d, func(*pgxpool.Config) {})
		report, err := history.Check(events)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range report.Violations {
			t.Error(v)
		}
		t.Logf("%+v, judged %v", history.Measure(events), report.Judged)
		enough = true
		lacks := func(format string, args ...any) {
			if enough = false; d > time.Minute {
				t.Fatalf(format, args...)
			}
		}
		for _, rule := range history.Rules {
			if report.Judged[rule] == 0 {
				lacks("nothing could have broken the rule: %s", rule)
			}
		}
		for what, change := range changes {
			changed, err := change.in(events)
			if err != nil {
				lacks("%s: %v", what, err)
				continue
			}
			report, err := history.Check(changed)
			if err != nil || !slices.Contains(report.Broken(), change.breaks) {
				lacks("%s: it was not noticed that %s, but that %q, %v", what, change.breaks, report.Broken(), err)
			}
		}
	}
}

// change makes a sound history unsound.
type change struct {
	breaks history.Rule
	// at tells the events that can be changed; the first one is.
	at func(*history.Event) bool
	// to returns the events that replace the event.
	to func(history.Event) []history.Event
	// without lists the events that must go too for the change to show.
	without func(event, other *history.Event) bool
}

// in returns a changed copy of a history.
func (c change) in(events []*history.Event) ([]*history.Event, error) {
	i := slices.IndexFunc(events, c.at)
	if i < 0 {
		return nil, errors.New("there is nothing to change")
	}
	var changed []*history.Event
	for j, e := range events {
		switch {
		case j == i:
			for _, other := range c.to(*e) {
				changed = append(changed, &other)
			}
		case c.without == nil || !c.without(events[i], e):
			changed = append(changed, e)
		}
	}
	return changed, nil
}

func settled(e *history.Event) bool { return e.Op == history.Settle && e.Outcome == history.OK }

// ofTheSame tells whether an event is about the same message.
func ofTheSame(event, other *history.Event) bool { return event.Key == other.Key }

var changes = map[string]change{
	"no trace of what became of a message": {
		breaks:  history.LostSend,
		at:      func(e *history.Event) bool { return settled(e) && e.Queue == Plain },
		to:      func(history.Event) []history.Event { return nil },
		without: ofTheSame,
	},
	"a send that failed": {
		breaks: history.NeverSent,
		at:     func(e *history.Event) bool { return e.Op == history.Send && e.Outcome == history.OK },
		to: func(e history.Event) []history.Event {
			e.Outcome = history.Failed
			return []history.Event{e}
		},
	},
	"a delivery that came again a moment later": {
		breaks: history.TwoLeases,
		at:     func(e *history.Event) bool { return e.Op == history.Deliver && e.Queue == Hand },
		to: func(e history.Event) []history.Event {
			again := e
			again.Reads++
			again.Lease, again.Until = e.Lease.Add(time.Millisecond), e.Until.Add(time.Millisecond)
			return []history.Event{e, again}
		},
	},
	"a settling that came again": {
		breaks: history.StaleReceipt,
		at:     settled,
		to:     func(e history.Event) []history.Event { return []history.Event{e, e} },
	},
	"a settling by the receipt before": {
		breaks: history.StaleReceipt,
		at:     func(e *history.Event) bool { return settled(e) && e.Reads > 1 && e.Queue != Fifo },
		to: func(e history.Event) []history.Event {
			e.Reads--
			e.Lease = e.Lease.Add(-time.Second)
			return []history.Event{e}
		},
	},
	"a deleted message that is still there": {
		breaks: history.SettledAgain,
		at:     func(e *history.Event) bool { return settled(e) && e.How == history.Deleted },
		to: func(e history.Event) []history.Event {
			row := e
			row.Op, row.How = history.Census, history.InQueue
			return []history.Event{e, row}
		},
	},
	"a message of a group that was settled at the very end": {
		breaks: history.GroupOrder,
		at:     func(e *history.Event) bool { return settled(e) && e.How == history.DeletedByID },
		to: func(e history.Event) []history.Event {
			e.Begin += int64(time.Hour)
			e.End += int64(time.Hour)
			return []history.Event{e}
		},
	},
	"a dead letter that died a delivery too early": {
		breaks: history.WrongDeaths,
		at:     func(e *history.Event) bool { return e.Op == history.Census && e.How == history.InDead },
		to: func(e history.Event) []history.Event {
			e.Reads--
			return []history.Event{e}
		},
	},
	"an effect less": {
		breaks: history.Effects,
		at:     func(e *history.Event) bool { return e.Op == history.Census && e.How == history.AsEffect },
		to:     func(history.Event) []history.Event { return nil },
	},
	"an effect more": {
		breaks: history.Effects,
		at:     func(e *history.Event) bool { return e.Op == history.Census && e.How == history.AsEffect },
		to:     func(e history.Event) []history.Event { return []history.Event{e, e} },
	},
	"an order less": {
		breaks: history.Effects,
		at:     func(e *history.Event) bool { return e.Op == history.Census && e.How == history.AsOrder },
		to:     func(history.Event) []history.Event { return nil },
	},
	"a message that nobody read": {
		breaks: history.Stuck,
		at:     func(e *history.Event) bool { return e.Op == history.Deliver && e.Queue == Plain },
		to: func(e history.Event) []history.Event {
			e.Op, e.How = history.Census, history.InQueue
			return []history.Event{e}
		},
		without: ofTheSame,
	},
}

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
	var events []*history.Event
	for d, enough := 4*time.Second, false; !enough; d *= 2 {
		events = record(t, 1, d, func(*pgxpool.Config) {})
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
			if _, err := change.in(events); err != nil {
				lacks("%s: %v", what, err)
			}
		}
	}
	for what, change := range changes {
		changed, err := change.in(events)
		if err != nil {
			t.Fatal(err)
		}
		report, err := history.Check(changed)
		if err != nil || !slices.Contains(report.Broken(), change.breaks) {
			t.Errorf("%s: it was not noticed that %s, but that %q, %v", what, change.breaks, report.Broken(), err)
		}
	}
}

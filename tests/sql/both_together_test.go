package sql

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// bodies are JSON of every kind, written as jsonb writes it.
var bodies = []string{
	`null`, `true`, `0`, `-1.50`, `123456789012345678901234567890.123456789`, `""`, `"\"\\\n\t"`, `"ü 😀 \u0001"`,
	`[]`, `{}`, `{"": {"a": [1, [2, {}]]}}`, `{"x-pgmq-group": "not a header"}`, `"$1 {Q} %I ' ; --"`,
	strings.Repeat(`[`, 500) + strings.Repeat(`]`, 500), `"` + strings.Repeat("long", 50_000) + `"`,
}

func TestWhatOneAPISendsTheOtherReads(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), pgtest.Pool()
	for d, other := range map[api]api{goAPI{pool}: sqlAPI{pool}, sqlAPI{pool}: goAPI{pool}} {
		for headers, want := range map[string]string{
			"null": "",
			"{}":   "{}",
			`{"h": [1, {"ü": null}], "x-pgmq-group": "g"}`: `{"h": [1, {"ü": null}], "x-pgmq-group": "g"}`,
		} {
			name := pgtest.Queue[int](t).Name()
			must[[]int64](t)(d.send(ctx, name, bodies, headers, 0))
			got := must[[]delivery](t)(other.read(ctx, name, time.Hour, 100))
			check.Equal(t, "messages", len(got), len(bodies))
			for i, m := range got {
				check.Equal(t, fmt.Sprintf("%T's body", d), m.body, bodies[i])
				check.Equal(t, fmt.Sprintf("%T's headers", d), m.headers, want)
			}
		}
		name := pgtest.Queue[int](t).Name()
		for _, body := range bodies {
			must[int64](t)(d.sendAt(ctx, name, body, time.Now().Add(-time.Minute)))
			got := must[[]delivery](t)(other.pop(ctx, name))
			check.Equal(t, fmt.Sprintf("%T's body, popped", d), got[0].body, body)
			check.Equal(t, fmt.Sprintf("%T's headers, popped", d), got[0].headers, "")
		}
		check.Exec(t, pool, `SELECT pgmq.send($1, NULL), pgmq.send($1, NULL, '[1]'::jsonb)`, name)
		for i, m := range must[[]delivery](t)(other.read(ctx, name, time.Hour, 2)) {
			check.Equal(t, "SQL's NULL", m.body, "")
			check.Equal(t, "headers that are no object", m.headers, []string{"", "[1]"}[i])
		}
	}
}

func TestBatchesThroughBothAPIsKeepTheirOrder(t *testing.T) {
	throughBothAPIs(t, func(t *testing.T, d api, name string) {
		ctx := t.Context()
		many := make([]string, 70_000) // more than a statement has parameters
		for i := range many {
			many[i] = fmt.Sprint(i)
		}
		for i, id := range must[[]int64](t)(d.send(ctx, name, many, "null", 0)) {
			if id != int64(i+1) {
				t.Fatalf("id %d is message %d's", id, i)
			}
		}
		check.Equal(t, "in their places", check.Value[int](t, pgtest.Pool(), check.Tables(name, `SELECT count(*)::int FROM {Q} WHERE message = to_jsonb(msg_id - 1)`)), len(many))
	})
}

// The receipts of the Go API notice operations of the other.
func TestAReceiptEndsWhenTheOtherAPIReads(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), pgtest.Pool()
	q := pgtest.Queue[int](t)
	sql := sqlAPI{pool}
	check.SendBatch(t, q, make([]int, 3))
	msgs := check.Read(t, q, 3, queue.VT(time.Hour))

	must[[]int64](t)(sql.setVT(ctx, q.Name(), 2*time.Hour, 1)) // nobody has read it since
	check.OK(t, q.Delete(ctx, msgs[0]))

	must[[]int64](t)(sql.setVT(ctx, q.Name(), 0, 2))
	equalIDs(t, "read by SQL", idsOf(must[[]delivery](t)(sql.read(ctx, q.Name(), time.Hour, 1))), 2)
	must[[]int64](t)(sql.archive(ctx, q.Name(), 3))
	lost := check.As[*queue.LeaseLostError](t, q.Delete(ctx, msgs[1:]...))
	equalIDs(t, "lost", lost.IDs, 2, 3)
	equalIDs(t, "gone", lost.Gone, 3)
	equalIDs(t, "left", must[[]int64](t)(sql.remove(ctx, q.Name(), 2)), 2)
}

// Within a VT a message has one holder, whichever API it came through.
func TestRacingReadersThroughBothAPIsGetEachMessageOnce(t *testing.T) {
	check.Parallel(t)
	const messages = 6000
	ctx, pool, name := t.Context(), pgtest.Pool(), pgtest.Queue[int](t).Name()
	check.Exec(t, pool, `SELECT pgmq.send_batch($1, array_agg(to_jsonb(i))) FROM generate_series(1, $2) AS i`, name, messages)
	var (
		mu      sync.Mutex
		got     = map[int64]int{}
		readers errgroup.Group
	)
	for i := range 8 {
		var d api = goAPI{pool}
		if i%2 == 0 {
			d = sqlAPI{pool}
		}
		readers.Go(func() error {
			pops := i >= 6
			for {
				take := func() ([]delivery, error) { return d.read(ctx, name, time.Hour, 7) }
				if pops {
					take = func() ([]delivery, error) { return d.pop(ctx, name) }
				}
				batch, err := take()
				if err != nil || len(batch) == 0 {
					return err
				}
				mu.Lock()
				for _, m := range batch {
					got[m.id]++
				}
				mu.Unlock()
				if pops {
					continue
				}
				if _, err := d.remove(ctx, name, idsOf(batch)...); err != nil {
					return err
				}
			}
		})
	}
	check.OK(t, readers.Wait())
	check.Equal(t, "messages", len(got), messages)
	for id, times := range got {
		if times != 1 {
			t.Errorf("message %d was handed out %d times", id, times)
		}
	}
	check.Equal(t, "left", check.Value[int](t, pool, check.Tables(name, `SELECT count(*)::int FROM {Q}`)), 0)
}

package consume

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// handledIDs is a handler that notes its messages.
type handledIDs struct {
	mu  sync.Mutex
	ids map[int64]int // the reads of each
}

func (h *handledIDs) note(_ context.Context, m *queue.Message[string]) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ids == nil {
		h.ids = map[int64]int{}
	}
	h.ids[m.ID] = m.Reads
	return nil
}

func (h *handledIDs) all() []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.ids))
}

func TestWhatCannotBeFetchedIsPutAsideAndItsNeighboursAreDelivered(t *testing.T) {
	check.Long(t)
	q, dead := pgtest.Queue[string](t), pgtest.Queue[string](t)
	var good, bad []int64
	insert := func(values string) int64 { return check.Insert(t, q.Name(), check.PoisonColumns, values) }
	comes, stays := check.Poisonous()
	for _, values := range stays {
		good = append(good, check.Send(t, q, "good"))
		bad = append(bad, insert(values))
	}
	for _, values := range comes {
		good = append(good, insert(values), check.Send(t, q, "good"))
	}
	expanding := insert(`now(), now(), ` + check.Expanding + `, NULL`)
	undecodable := insert(`now(), now(), '{"other": "type"}', NULL`)
	good = append(good, check.Send(t, q, "good"))

	var handled handledIDs
	c := check.Consume(t, q, handled.note, queue.DeadLetterTo(dead.Name()), queue.MaxReads(1))
	check.Eventually(t, "the good ones are handled", func() bool { return len(handled.all()) >= len(good) })
	slices.Sort(good)
	check.EqualAll(t, "the handled ones", handled.all(), good)
	check.Eventually(t, "what can be moved is a dead letter", func() bool { return check.Length(t, dead) == 3 })
	check.Eventually(t, "what cannot be moved is reported", func() bool {
		return slices.ContainsFunc(c.Of(queue.EventLeaseLost), func(e queue.Event) bool { return slices.Contains(bad, e.ID) })
	})
	if len(c.Of(queue.EventFetchFailed)) == 0 {
		t.Error("no fetch is reported to have failed")
	}
	for _, e := range c.Of(queue.EventDeadLettered) {
		want := queue.ReasonUnfetchable
		if e.ID == undecodable {
			want = queue.ReasonUndecodable
		}
		check.Equal(t, "the reason", e.Reason, want)
	}
	check.OK(t, c.End())
	check.Equal(t, "outages", len(c.Of(queue.EventOutage)), 0)
	check.Equal(t, "what is left, because its headers are damaged", check.Length(t, q), 1)

	// In the dead-letter queue the message is unchanged.
	var fetched []int64
	msgs, err := dead.Peek(t.Context(), 10)
	for _, f := range queue.FetchErrors(err) {
		fetched = append(fetched, f.ID)
	}
	check.Equal(t, "dead letters that cannot be fetched", len(fetched), 2)
	check.Equal(t, "the undecodable one, which is text elsewhere", len(msgs)+len(queue.DecodeErrors(err)), 1)
	check.Equal(t, "the size of the one that expands", check.Value[int](t, pgtest.Pool(), check.Tables(dead.Name(),
		`SELECT jsonb_array_length(message) FROM {Q} WHERE (headers -> 'x-pgmq-dead-letter' ->> 'msg_id')::bigint = $1`), expanding), 9000)
}

func TestAMessageThatIsTooLargeForTheLinkHoldsUpNoOther(t *testing.T) {
	check.Long(t)
	direct := pgtest.Queue[string](t)
	pool, proxy := check.Proxied(t, func(*pgxpool.Config) {})
	proxy.Throttle(1 << 20)
	var small []int64
	small = append(small, check.Send(t, direct, "small"))
	large := check.Insert(t, direct.Name(), "vt, message", `now(), to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3000000) AS i))`)
	small = append(small, check.Send(t, direct, "small"))
	var handled handledIDs
	c := check.Consume(t, check.Open[string](t, pool, direct.Name()), handled.note, queue.MaxReads(1))
	check.Eventually(t, "the small ones are handled", func() bool { return slices.Equal(handled.all(), small) })
	for range 10 {
		small = append(small, check.Send(t, direct, "small"))
		check.Eventually(t, "what is sent meanwhile is handled", func() bool { return slices.Equal(handled.all(), small) })
	}
	check.Eventually(t, "that the large one did not arrive is reported", func() bool {
		return slices.ContainsFunc(c.Of(queue.EventFetchFailed), func(e queue.Event) bool { return e.ID == large })
	})
	proxy.Throttle(0)
	check.Eventually(t, "the large one is handled when the link is faster", func() bool { return check.Length(t, direct) == 0 })
	check.Equal(t, "dead letters", len(c.Of(queue.EventDeadLettered)), 0)
}

// A compressed body is small in the table and large on the link.
func TestAFetchThatDoesNotArriveDoesNotCount(t *testing.T) {
	check.Long(t)
	direct := pgtest.Queue[string](t)
	pool, proxy := check.Proxied(t, func(*pgxpool.Config) {})
	var sent []int64
	for range 3 {
		sent = append(sent, check.Insert(t, direct.Name(), "vt, message", `now() + '1 h', to_jsonb(repeat('x', 4000000))`))
	}
	slow := check.Send(t, direct, "small") // until this one came
	var handled handledIDs
	q := check.Open[string](t, pool, direct.Name())
	c := check.Consume(t, q, handled.note, queue.MaxReads(1), queue.VT(time.Minute))
	check.Eventually(t, "it consumes", func() bool {
		return slices.Equal(handled.all(), []int64{slow}) && check.Length(t, direct) == int64(len(sent))
	})
	// The server has committed the next fetch, whose answer stays in the proxy.
	proxy.Throttle(64 << 10)
	check.Exec(t, pgtest.Pool(), check.Tables(direct.Name(), `UPDATE {Q} SET vt = now()`))
	check.Exec(t, pgtest.Pool(), `SELECT pg_notify('pgmq.wake', $1)`, "q_"+direct.Name())
	check.Eventually(t, "the fetch is reported", func() bool { return len(c.Of(queue.EventFetchFailed)) > 0 })
	proxy.Throttle(0)
	check.Eventually(t, "all are handled", func() bool { return len(handled.all()) == len(sent)+1 })
	check.OK(t, c.End())
	for id, reads := range handled.ids {
		if reads != 1 {
			t.Errorf("message %d was handled at read %d", id, reads)
		}
	}
	check.Equal(t, "dead letters", fmt.Sprint(c.Of(queue.EventDeadLettered)), "[]")
}

// The connection is cut when the server has committed, and nothing has arrived.
func TestACutFetchDoesNotCount(t *testing.T) {
	check.Parallel(t)
	direct := pgtest.Queue[string](t)
	// The statement that fetches needs no answer before it, to a dial, a ping or a
	// prepare.
	pool, proxy := check.Proxied(t, func(c *pgxpool.Config) {
		c.MinConns = 4
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	})
	var handled handledIDs
	goOn := make(chan struct{})
	c := check.Consume(t, check.Open[string](t, pool, direct.Name()), func(ctx context.Context, m *queue.Message[string]) error {
		if m.Body == "hold" {
			check.Hold(goOn)
			return nil
		}
		return handled.note(ctx, m)
	}, queue.MaxReads(1), queue.Workers(1), queue.NoPrefetch, queue.VT(time.Minute))
	hidden := func(id int64) func() bool {
		return func() bool {
			return check.Value[bool](t, pgtest.Pool(), check.Tables(direct.Name(), `SELECT coalesce((SELECT vt > now() FROM {Q} WHERE msg_id = $1), false)`), id)
		}
	}
	hold := check.Send(t, direct, "hold")
	check.Eventually(t, "the worker is busy", hidden(hold))
	next := check.Send(t, direct, "next")
	check.Eventually(t, "two connections are free", func() bool { return pool.Stat().IdleConns() >= 2 })
	proxy.SilenceServer()
	close(goOn)
	check.Eventually(t, "the server has hidden the next", hidden(next))
	proxy.Close()
	proxy.Speak()
	check.OK(t, proxy.Open())
	check.Eventually(t, "it is handled", func() bool { return slices.Equal(handled.all(), []int64{next}) })
	check.OK(t, c.End())
	check.Equal(t, "the number of its reads", handled.ids[next], 1)
	check.Equal(t, "dead letters", len(c.Of(queue.EventDeadLettered)), 0)
}

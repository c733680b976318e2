package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// inserts counts the statements that send.
type inserts struct{ n atomic.Int64 }

func (i *inserts) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "INSERT INTO") {
		i.n.Add(1)
	}
	return ctx
}

func (i *inserts) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// stalled is a queue whose sends wait until release is called.
func stalled(t testing.TB) (q *queue.Queue[check.Order], release func()) {
	t.Helper()
	q = pgtest.Queue[check.Order](t)
	tx, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	check.Exec(t, tx, check.Tables(q.Name(), `LOCK TABLE {Q} IN EXCLUSIVE MODE`))
	release = sync.OnceFunc(func() { _ = tx.Rollback(context.Background()) })
	t.Cleanup(release)
	return q, release
}

// sending is a Send in the background. Those that begin one after another come in
// this order, on any machine that is not very busy.
func sending(ctx context.Context, q *queue.Queue[check.Order], body check.Order, opts ...queue.SendOption) chan generics.Result[int64] {
	done := make(chan generics.Result[int64], 1)
	go func() {
		id, err := q.Send(ctx, body, opts...)
		done <- generics.Result[int64]{Value: id, Err: err}
	}()
	time.Sleep(20 * time.Millisecond) // so that they come in order
	return done
}

func TestSendsOfManyGoroutinesShareStatements(t *testing.T) {
	check.Parallel(t)
	var count inserts
	direct := pgtest.Queue[check.Order](t)
	q := check.Open[check.Order](t, check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.Tracer = &count }), direct.Name())
	var mu sync.Mutex
	sent := map[int64]int64{}
	var all sync.WaitGroup
	for g := range int64(64) {
		all.Go(func() {
			for i := range int64(50) {
				id, err := q.Send(t.Context(), check.Order{ID: 50*g + i})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				sent[id] = 50*g + i
				mu.Unlock()
			}
		})
	}
	all.Wait()
	check.Equal(t, "ids", len(sent), 3200)
	for _, m := range check.Read(t, direct, 4000) {
		check.Equal(t, "the body of its id", m.Body.ID, sent[m.ID])
		delete(sent, m.ID)
	}
	check.Equal(t, "lost", len(sent), 0)
	if n := count.n.Load(); n > 3200/4 {
		t.Errorf("3,200 sends took %d statements", n)
	}
}

func TestSendsOfOneStatementKeepTheirOwnOptions(t *testing.T) {
	check.Parallel(t)
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			locked, release := stalled(t)
			q := check.Open[check.Order](t, check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode }), locked.Name())
			at := time.Now().Add(2 * time.Hour).Truncate(time.Microsecond)
			var all []chan generics.Result[int64]
			for i, opt := range []queue.SendOption{
				nil, nil, // these two go alone
				queue.Headers{"a": 1}, queue.Delay(time.Hour), queue.At(at), queue.Delay(1500 * time.Millisecond), queue.Headers(nil),
			} {
				var opts []queue.SendOption
				if opt != nil {
					opts = append(opts, opt)
				}
				all = append(all, sending(t.Context(), q, check.Order{ID: int64(i)}, opts...))
			}
			release()
			for _, done := range all {
				check.OK(t, check.Receive(t, done).Err)
			}
			rows := check.Values[string](t, pgtest.Pool(), check.Tables(q.Name(), `
				SELECT (message->>'order_id') || ' ' || coalesce(headers::text, '-') || ' ' || round(extract(epoch FROM vt - enqueued_at)) FROM {Q} ORDER BY message->'order_id'`))
			want := []string{`0 - `, `1 - `, `2 {"a": 1} 0`, `3 - 3600`, `4 - 7`, `5 - 2`, `6 - 0`}
			for i, row := range rows {
				if !strings.HasPrefix(row, want[i]) {
					t.Errorf("%q, not %q", row, want[i])
				}
			}
			check.Equal(t, "rows", len(rows), len(want))
			check.Equal(t, "the time that was given", check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT vt = $1 FROM {Q} WHERE message->>'order_id' = '4'`), at), true)
		})
	}
}

func TestABadMessageAmongOthersFailsAlone(t *testing.T) {
	check.Parallel(t)
	q, release := stalled(t)
	release()
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {Q} ADD CHECK (message->>'customer' <> 'mallory')`))
	var failed, sent atomic.Int64
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			body := check.Order{ID: int64(i)}
			if i%50 == 7 {
				body.Customer = "mallory"
			}
			switch _, err := q.Send(t.Context(), body); {
			case err == nil && body.Customer == "":
				sent.Add(1)
			case err != nil && body.Customer != "":
				failed.Add(1)
			default:
				t.Errorf("message %d: %v", i, err)
			}
		})
	}
	all.Wait()
	check.Equal(t, "failed and sent", fmt.Sprint(failed.Load(), sent.Load()), "4 196")
	check.Equal(t, "messages", check.Length(t, q), 196)
}

func TestACancelledSendLearnsWhetherItsOutcomeIsKnownAndFailsNoOther(t *testing.T) {
	check.Long(t)
	direct := pgtest.Queue[check.Order](t)
	// One connection: no statement runs beside another.
	q := check.Open[check.Order](t, check.NewPool(t, func(c *pgxpool.Config) { c.MaxConns = 1 }), direct.Name())
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {Q} ADD CHECK (pg_sleep(2)::text = '')`)) // for each row
	cancelled, cancel := context.WithCancel(t.Context())
	first := sending(t.Context(), q, check.Order{ID: 1}) // goes alone
	second, third := sending(cancelled, q, check.Order{ID: 2}), sending(t.Context(), q, check.Order{ID: 3})
	check.OK(t, check.Receive(t, first).Err)
	check.Eventually(t, "2 and 3 are on their way", func() bool {
		return check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM pg_stat_activity
			WHERE wait_event = 'PgSleep' AND position('"q_' || $1 || '"' IN query) > 0`, q.Name()) == 1
	})
	fourth, fifth := sending(cancelled, q, check.Order{ID: 4}), sending(t.Context(), q, check.Order{ID: 5})
	cancel()
	on := check.Receive(t, second).Err
	check.Is(t, on, context.Canceled)
	check.Is(t, on, queue.ErrOutcomeUnknown)
	not := check.Receive(t, fourth).Err
	check.Is(t, not, context.Canceled)
	if errors.Is(not, queue.ErrOutcomeUnknown) {
		t.Error(not)
	}
	check.OK(t, check.Receive(t, third).Err)
	check.OK(t, check.Receive(t, fifth).Err)
	for _, m := range check.Read(t, q, 10) {
		if m.Body.ID == 4 {
			t.Error("the fourth was sent, and its error says that it was not")
		}
	}
}

// When the last caller leaves, its statement is cancelled: none runs without a caller.
func TestASendThatAllHaveLeftEndsAtTheServer(t *testing.T) {
	check.Parallel(t)
	q, release := stalled(t)
	ctx, cancel := context.WithCancel(t.Context())
	left := sending(ctx, q, check.Order{})
	waiting := func() bool {
		return check.Value[bool](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT EXISTS (SELECT FROM pg_locks WHERE relation = '{Q}'::regclass AND NOT granted)`))
	}
	check.Eventually(t, "the statement waits for the lock", waiting)
	cancel()
	check.Is(t, check.Receive(t, left).Err, queue.ErrOutcomeUnknown)
	check.Eventually(t, "no statement waits for the lock", func() bool { return !waiting() })
	release()
	check.OK(t, check.Receive(t, sending(t.Context(), q, check.Order{})).Err)
	check.Equal(t, "messages", check.Length(t, q), 1)
}

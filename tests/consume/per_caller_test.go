package consume

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

type tenantKey struct{}

func as(ctx context.Context, tenant string) context.Context {
	return context.WithValue(ctx, tenantKey{}, tenant)
}

// tenants is a queue of which every tenant sees its own messages, on a pool whose hook
// takes the tenant from the ctx.
func tenants(t testing.TB) *queue.Queue[check.Order] {
	t.Helper()
	direct := pgtest.Queue[check.Order](t)
	check.Exec(t, pgtest.Pool(), check.Tables(direct.Name(), `
		ALTER TABLE {Q} ENABLE ROW LEVEL SECURITY;
		CREATE POLICY tenant ON {Q} USING (message->>'customer' = current_setting('app.tenant', true))`))
	role := check.Role(t, "tenant", `GRANT USAGE ON SCHEMA pgmq`, check.Tables(direct.Name(), `GRANT ALL ON {Q}`), check.Tables(direct.Name(), `GRANT ALL ON {A}`))
	pool := check.PoolLike(t, role, func(c *pgxpool.Config) {
		c.MaxConns = 8
		c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			tenant, _ := ctx.Value(tenantKey{}).(string)
			_, err := conn.Exec(ctx, `SELECT set_config('app.tenant', $1, false)`, tenant)
			return err == nil, err
		}
	})
	return check.Open[check.Order](t, pool, direct.Name())
}

func TestConsumersOfTwoTenantsOnOnePoolGetAndKeepTheirOwnMessages(t *testing.T) {
	check.Parallel(t)
	q := tenants(t)
	var mu sync.Mutex
	handled := map[string]int{}
	var consumers []*check.Consuming
	for _, tenant := range []string{"a", "b"} {
		consumers = append(consumers, check.Background(t, func(ctx context.Context, observe queue.ConsumeOption) error {
			return q.Consume(as(ctx, tenant), func(ctx context.Context, m *queue.Message[check.Order]) error {
				if m.Body.ID == 0 {
					select { // longer than its lease
					case <-ctx.Done():
						return context.Cause(ctx)
					case <-time.After(4 * time.Second):
					}
				}
				mu.Lock()
				defer mu.Unlock()
				handled[tenant+m.Body.Customer]++
				return nil
			}, queue.VT(2*time.Second), observe)
		}))
	}
	for i := range 10 {
		for _, tenant := range []string{"a", "b"} {
			_, err := q.Send(as(t.Context(), tenant), check.Order{ID: int64(i), Customer: tenant})
			check.OK(t, err)
		}
		time.Sleep(50 * time.Millisecond) // they fall asleep, and are woken
	}
	check.Eventually(t, "all are done", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return handled["aa"] == 10 && handled["bb"] == 10
	})
	for _, c := range consumers {
		check.Equal(t, "leases lost", len(c.Of(queue.EventLeaseLost)), 0)
		check.OK(t, c.End())
	}
	check.Equal(t, "of one handled by another", handled["ab"]+handled["ba"], 0)
	check.Equal(t, "messages", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(*)::int FROM {Q}`)), 0)
}

func TestSendsOfTwoTenantsAreNeverMixed(t *testing.T) {
	check.Parallel(t)
	sendAsTwo(t, 100)
}

func TestHundredThousandSendsOfTwoTenantsAreNeverMixed(t *testing.T) {
	check.Long(t)
	sendAsTwo(t, 6250)
}

// sendAsTwo has each of 16 goroutines send so many messages, for one of two tenants.
func sendAsTwo(t *testing.T, each int) {
	t.Helper()
	q := tenants(t)
	var sent atomic.Int64
	var all sync.WaitGroup
	for g := range 16 {
		tenant := []string{"a", "b"}[g%2]
		ctx := as(t.Context(), tenant)
		all.Go(func() {
			for i := range each {
				body := check.Order{ID: int64(i), Customer: tenant}
				var err error
				if i%10 == 9 {
					err = q.SendAsync(ctx, body, func(_ int64, err error) {
						if err != nil {
							t.Error(err)
						}
						sent.Add(1)
					})
				} else {
					_, err = q.Send(ctx, body)
					sent.Add(1)
				}
				if err != nil { // of the policy, for another tenant's session
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	check.OK(t, q.Flush(t.Context()))
	check.Equal(t, "sent", sent.Load(), int64(16*each))
	check.Equal(t, "messages", check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT count(*)::int FROM {Q}`)), 16*each)
	for _, tenant := range []string{"a", "b"} {
		msgs, err := q.Read(as(t.Context(), tenant), 16*each)
		check.OK(t, err)
		check.Equal(t, "messages of "+tenant, len(msgs), 8*each)
	}
}

// statements counts those that send, on a pool with some hook.
func statements(t *testing.T, change func(*pgxpool.Config), wrap func(*pgxpool.Pool) queue.DB, opts ...queue.Option) int {
	t.Helper()
	name := pgtest.Queue[check.Order](t).Name()
	var count inserts
	pool := check.NewPool(t, func(c *pgxpool.Config) {
		c.ConnConfig.Tracer = &count
		change(c)
	})
	q, err := queue.New[check.Order](wrap(pool), name, opts...)
	check.OK(t, err)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			for range 10 {
				_, err := q.Send(t.Context(), check.Order{})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	return int(count.n.Load())
}

// inserts counts the statements that send.
type inserts struct{ n atomic.Int64 }

func (i *inserts) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if len(q.SQL) > 12 && q.SQL[:12] == "-- name: Sen" {
		i.n.Add(1)
	}
	return ctx
}

func (i *inserts) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// wrapped is a type of the user's, whose methods might look at the ctx.
type wrapped struct{ *pgxpool.Pool }

func TestSendsShareStatementsOnlyWhereTheSessionCannotDependOnTheCaller(t *testing.T) {
	check.Parallel(t)
	plain := func(p *pgxpool.Pool) queue.DB { return p }
	none := func(*pgxpool.Config) {}
	prepare := func(c *pgxpool.Config) {
		c.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) { return true, nil }
	}
	for _, c := range []struct {
		name   string
		shared bool
		n      int
	}{
		{"plain", true, statements(t, none, plain)},
		{"AfterRelease and BeforeConnect, which know no caller", true, statements(t, func(c *pgxpool.Config) {
			c.AfterRelease = func(*pgx.Conn) bool { return true }
			c.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { return nil }
		}, plain)},
		{"PrepareConn", false, statements(t, prepare, plain)},
		{"BeforeAcquire", false, statements(t, func(c *pgxpool.Config) {
			c.BeforeAcquire = func(context.Context, *pgx.Conn) bool { return true } //nolint:staticcheck // old programs have it
		}, plain)},
		{"a type that embeds a pool", false, statements(t, none, func(p *pgxpool.Pool) queue.DB { return wrapped{p} })},
		{"PrepareConn, by choice", true, statements(t, prepare, plain, queue.SessionPerCaller(false))},
		{"plain, by choice", false, statements(t, none, plain, queue.SessionPerCaller(true))},
	} {
		if shared := c.n < 350; shared != c.shared {
			t.Errorf("%s: 400 sends took %d statements", c.name, c.n)
		}
	}
}

// The calls of one ctx are equal, and share; they keep their order.
func TestSendAsyncSharesStatementsAmongCallsOfOneContext(t *testing.T) {
	check.Parallel(t)
	q := tenants(t)
	for i := range 300 {
		tenant := []string{"a", "b"}[i/100%2]
		ctx := as(t.Context(), tenant)
		if i < 100 { // each with its own
			ctx = as(ctx, tenant)
		}
		check.OK(t, q.SendAsync(ctx, check.Order{ID: int64(i), Customer: tenant}, nil))
	}
	check.OK(t, q.Flush(t.Context()))
	ordered := check.Values[int64](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT (message->>'order_id')::bigint FROM {Q} ORDER BY msg_id`))
	check.Equal(t, "messages", len(ordered), 300)
	for i, id := range ordered {
		check.Equal(t, "in order", id, int64(i))
	}
}

// A ctx of a type that cannot be compared is like no other.
type listCtx struct {
	context.Context
	_ []int
}

func TestAContextThatCannotBeComparedIsNoTrouble(t *testing.T) {
	check.Parallel(t)
	q := tenants(t)
	ctx := listCtx{Context: as(t.Context(), "a")}
	for i := range 5 {
		check.OK(t, q.SendAsync(ctx, check.Order{ID: int64(i), Customer: "a"}, nil))
	}
	check.OK(t, q.Flush(t.Context()))
	done := make(chan struct{}, 5)
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- q.Consume(listCtx{Context: as(running, "a")}, func(context.Context, *queue.Message[check.Order]) error {
			done <- struct{}{}
			return nil
		})
	}()
	for range 5 {
		check.Receive(t, done)
	}
	stop()
	check.OK(t, check.Receive(t, ended))
}

// A consumer reports a message that it cannot settle because of a trigger as such.
func TestAConsumerReportsWhatATriggerKeeps(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), fmt.Sprintf(`
		CREATE FUNCTION keep_%[1]s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF OLD.message->>'order_id' = '3' THEN RETURN NULL; END IF; RETURN OLD; END $$;
		CREATE TRIGGER t BEFORE DELETE ON {Q} FOR EACH ROW EXECUTE FUNCTION keep_%[1]s()`, q.Name())))
	for i := range 5 {
		check.Send(t, q, check.Order{ID: int64(i)})
	}
	c := check.Consume(t, q, func(context.Context, *queue.Message[check.Order]) error { return nil })
	check.Eventually(t, "it is reported", func() bool { return len(c.Of(queue.EventLeaseLost)) == 1 })
	err := c.Of(queue.EventLeaseLost)[0].Err
	check.Is(t, err, queue.ErrNotStored)
	check.Eventually(t, "the others are done", func() bool { return check.Length(t, q) == 1 })
	if errors.Is(err, queue.ErrNotFound) {
		t.Error(err)
	}
}

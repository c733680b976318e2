package consume

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// roundTrips are those to a server in the same zone, in another, and farther away.
// A proxy holds back each direction for half of it.
var roundTrips = []time.Duration{500 * time.Microsecond, 2 * time.Millisecond, 10 * time.Millisecond}

// A lone message costs as many statements on a slow link as on a fast one: a consumer's
// scans in the meantime depend on the server's time.
func TestALoneMessageCostsAsManyStatementsOverALongLink(t *testing.T) {
	check.Slow(t)
	const messages = 10
	counts := map[time.Duration]int{}
	for _, rtt := range append([]time.Duration{0}, roundTrips...) {
		direct := pgtest.Queue[int](t)
		behind, proxy := check.Proxied(t, func(*pgxpool.Config) {})
		proxy.Delay(rtt / 2)
		pool, statements := traced(t, behind)
		var done atomic.Int64
		c := check.Consume(t, check.Open[int](t, pool, direct.Name()), func(context.Context, *queue.Message[int]) error {
			done.Add(1)
			return nil
		})
		check.Send(t, direct, 0)
		check.Eventually(t, "it consumes", func() bool { return done.Load() == 1 })
		statements.Rest(t)
		before := statements.Count()
		for i := range messages {
			check.Send(t, direct, i)
			check.Eventually(t, "it is handled", func() bool { return done.Load() == int64(i+2) })
			statements.Rest(t)
		}
		counts[rtt] = statements.Count() - before
		check.OK(t, c.End())
	}
	t.Log(counts)
	for rtt, n := range counts {
		if n > counts[0]+messages { // one more for each would be the rule
			t.Errorf("%d statements for %d messages at a round trip of %v, and %d without", n, messages, rtt, counts[0])
		}
	}
}

func TestWhatCameBackBehindABusyConsumerIsFoundOverALongLink(t *testing.T) {
	check.Parallel(t)
	for _, rtt := range roundTrips {
		t.Run(rtt.String(), func(t *testing.T) {
			t.Parallel()
			const backlog, returns = 20_000, -1
			direct := pgtest.Queue[int](t)
			pool, proxy := check.Proxied(t, func(*pgxpool.Config) {})
			proxy.Delay(rtt / 2)
			check.Send(t, direct, returns)
			check.Equal(t, "held by another", len(check.Read(t, direct, 1, queue.VT(time.Hour))), 1)
			check.SendBatch(t, direct, make([]int, backlog))
			var back, others atomic.Int64
			check.Consume(t, check.Open[int](t, pool, direct.Name()), func(_ context.Context, m *queue.Message[int]) error {
				if m.Body == returns {
					back.Add(others.Load())
					return nil
				}
				others.Add(1)
				time.Sleep(20 * time.Millisecond) // so that there are others for longer than this test waits
				return nil
			}, queue.Workers(4))
			check.Eventually(t, "the low-water mark has passed it", func() bool { return others.Load() > 100 })
			check.Exec(t, pgtest.Pool(), check.Tables(direct.Name(), `UPDATE {Q} SET vt = now() WHERE message = '-1'`))
			check.Eventually(t, "it is delivered", func() bool { return back.Load() > 0 })
			if back.Load() > backlog/2 {
				t.Errorf("it was delivered after %d others", back.Load())
			}
		})
	}
}

// Ids may jump: in an adopted queue, after a restore, or where several servers hand
// out ids from multiples of 2^48 on.
func TestMessagesWhoseIdsJumpAreDelivered(t *testing.T) {
	check.Parallel(t)
	for _, rtt := range append([]time.Duration{0}, roundTrips[1:]...) {
		t.Run(fmt.Sprint(rtt), func(t *testing.T) {
			t.Parallel()
			const servers, each, rounds = 5, 20, 4
			direct := pgtest.Queue[int](t)
			pool, proxy := check.Proxied(t, func(*pgxpool.Config) {})
			proxy.Delay(rtt / 2)
			var done atomic.Int64
			check.Consume(t, check.Open[int](t, pool, direct.Name()), func(context.Context, *queue.Message[int]) error {
				done.Add(1)
				time.Sleep(time.Millisecond) // so that it stays busy, far up
				return nil
			}, queue.Workers(2), queue.NoPrefetch)
			for round := range rounds {
				for server := range servers {
					check.Exec(t, pgtest.Pool(), check.Tables(direct.Name(), `INSERT INTO {Q} (msg_id, vt, message) OVERRIDING SYSTEM VALUE
						SELECT $1::bigint * (1::bigint << 48) + $2 * 1000 + i, now(), '1' FROM generate_series(1, $3) AS i`), (round+server)%servers+1, round+1, each)
				}
			}
			check.Eventually(t, "all are handled", func() bool { return done.Load() == servers*each*rounds })
		})
	}
}

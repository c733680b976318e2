package faults

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestQueueWorksAgainWhenTheServerIsBack(t *testing.T) {
	check.Parallel(t)
	ctx, direct := t.Context(), pgtest.Queue[int64](t)
	pool, p := check.Proxied(t, func(*pgxpool.Config) {})
	q := check.Open[int64](t, pool, direct.Name())

	acknowledged := map[int64]bool{}
	for range 3 {
		acknowledged[check.Send(t, q, 1)] = true
		held := check.Read(t, q, 1)[0]
		p.Close()
		// Everything fails with an error, and works again afterwards.
		if id, err := q.Send(ctx, 2); err == nil {
			t.Fatalf("message %d was sent to nobody", id)
		}
		if _, err := q.Read(ctx, 1, queue.WaitFor(time.Hour)); err == nil {
			t.Fatal("something was read from nobody")
		}
		if err := q.Delete(ctx, held); err == nil {
			t.Fatal("something was deleted at nobody's")
		}
		check.OK(t, p.Open())
		check.Eventually(t, "the queue works again", func() bool {
			id, err := q.Send(ctx, 3)
			if err == nil {
				acknowledged[id] = true
			}
			return err == nil
		})
		// The receipt outlived the connection that it was given on.
		check.OK(t, q.Delete(ctx, held))
		delete(acknowledged, held.ID)
	}
	for _, m := range check.Read(t, direct, 100) {
		delete(acknowledged, m.ID)
	}
	check.Equal(t, "the number of acknowledged messages that were lost", len(acknowledged), 0)
}

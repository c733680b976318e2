package api

import (
	"context"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMessagesLoopsInOrderAndLeavingGivesTheRestBack(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 25))
	i := 0
	for m, err := range q.Messages(t.Context(), queue.VT(time.Hour)) {
		check.OK(t, err)
		check.Equal(t, "the next", m.ID, sent[i])
		check.OK(t, q.Delete(t.Context(), m))
		if i++; i == 13 {
			break
		}
	}
	left := check.Read(t, q, 100)
	check.Equal(t, "left", len(left), 12)
	for _, m := range left {
		check.Equal(t, "reads", m.Reads, 1)
	}
}

func TestMessagesPassesOverWhatAnotherHasTaken(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := check.SendBatch(t, q, make([]check.Order, 3))
	var got []int64
	const vt = 3 * time.Second
	for m, err := range q.Messages(t.Context(), queue.VT(vt)) {
		check.OK(t, err)
		if got = append(got, m.ID); m.ID == sent[0] {
			check.Steal(t, q.Name(), sent[1])
			time.Sleep(vt) // its lease cannot be extended meanwhile
		}
		check.OK(t, q.Delete(t.Context(), m))
		if m.ID == sent[2] {
			break
		}
	}
	check.EqualAll(t, "messages", got, []int64{sent[0], sent[2]})
}

func TestMessagesKeepsTheLeasesOfWhatItHasInHand(t *testing.T) {
	check.Long(t)
	q := pgtest.Queue[check.Order](t)
	check.SendBatch(t, q, make([]check.Order, 3))
	i := 0
	const vt = 6 * time.Second
	for m, err := range q.Messages(t.Context(), queue.VT(vt)) {
		check.OK(t, err)
		check.Equal(t, "reads", m.Reads, 1)
		if i == 0 {
			time.Sleep(2 * vt) // of all of them
		}
		check.OK(t, q.Delete(t.Context(), m))
		if i++; i == 3 {
			break
		}
	}
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestMessagesWaitsForNewOnes(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[time.Time](t)
	ctx, cancel := context.WithCancel(check.Within(t))
	defer cancel()
	const wait = time.Second
	start := time.Now()
	for range q.Messages(ctx, queue.WaitFor(wait)) {
		t.Error("there is none yet")
	}
	if took := time.Since(start); took < wait {
		t.Errorf("it waited for %v, and not for %v", took, wait)
	}
	n := 0
	time.AfterFunc(50*time.Millisecond, func() { _, _ = q.Send(ctx, time.Now()) })
	for m, err := range q.Messages(ctx, queue.WaitFor(time.Hour)) {
		check.OK(t, err)
		check.OK(t, q.Delete(ctx, m))
		if n++; n == 5 {
			break
		}
		time.AfterFunc(50*time.Millisecond, func() { _, _ = q.Send(ctx, time.Now()) })
	}
	check.Equal(t, "messages", n, 5)

	time.AfterFunc(50*time.Millisecond, cancel)
	for _, err := range q.Messages(ctx) {
		t.Fatal("the loop goes on without a context", err)
	}
}

func TestMessagesGoesOnAfterOneThatDoesNotDecode(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '1'), (now(), '"two"'), (now(), '3')`))
	sum := 0
	for m, err := range q.Messages(t.Context(), queue.WaitFor(100*time.Millisecond)) {
		if err != nil {
			_, err = q.ArchiveID(t.Context(), check.As[*queue.DecodeError](t, err).ID)
			check.OK(t, err)
			continue
		}
		sum += m.Body
		check.OK(t, q.Delete(t.Context(), m))
	}
	check.Equal(t, "sum", sum, 4)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

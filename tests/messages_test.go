package tests

import (
	"context"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestMessagesLoopsInOrderAndLeavingGivesTheRestBack(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 25))
	i := 0
	for m, err := range q.Messages(t.Context(), queue.VT(time.Hour)) {
		ok(t, err)
		equal(t, "the next", m.ID, sent[i])
		ok(t, q.Delete(t.Context(), m))
		if i++; i == 13 {
			break
		}
	}
	left := read(t, q, 100)
	equal(t, "left", len(left), 12)
	for _, m := range left {
		equal(t, "reads", m.Reads, 1)
	}
}

func TestMessagesPassesOverWhatAnotherHasTaken(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := sendBatch(t, q, make([]Order, 3))
	var got []int64
	for m, err := range q.Messages(t.Context(), queue.VT(time.Second)) {
		ok(t, err)
		if got = append(got, m.ID); m.ID == sent[0] {
			steal(t, q.Name(), sent[1])
			time.Sleep(time.Second) // its lease cannot be extended meanwhile
		}
		ok(t, q.Delete(t.Context(), m))
		if m.ID == sent[2] {
			break
		}
	}
	equalAll(t, "messages", got, []int64{sent[0], sent[2]})
}

func TestMessagesKeepsTheLeasesOfWhatItHasInHand(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sendBatch(t, q, make([]Order, 3))
	i := 0
	for m, err := range q.Messages(t.Context(), queue.VT(400*time.Millisecond)) {
		ok(t, err)
		equal(t, "reads", m.Reads, 1)
		time.Sleep(time.Second)
		ok(t, q.Delete(t.Context(), m))
		if i++; i == 3 {
			break
		}
	}
	equal(t, "messages", length(t, q), 0)
}

func TestMessagesWaitsForNewOnes(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[time.Time](t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for range 5 {
			time.Sleep(50 * time.Millisecond)
			_, _ = q.Send(ctx, time.Now())
		}
	}()
	n := 0
	for m, err := range q.Messages(ctx, queue.Wait(3*time.Second)) {
		ok(t, err)
		ok(t, q.Delete(ctx, m))
		n++
	}
	equal(t, "messages until nothing came for 3 s", n, 5)

	go func() { time.Sleep(50 * time.Millisecond); cancel() }()
	for _, err := range q.Messages(ctx) {
		t.Fatal("the loop goes on without a context", err)
	}
}

func TestMessagesGoesOnAfterOneThatDoesNotDecode(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	exec(t, pgtest.Pool(), tables(q.Name(), `INSERT INTO {Q} (vt, message) VALUES (now(), '1'), (now(), '"two"'), (now(), '3')`))
	sum := 0
	for m, err := range q.Messages(t.Context(), queue.Wait(100*time.Millisecond)) {
		if err != nil {
			_, err = q.ArchiveID(t.Context(), as[*queue.DecodeError](t, err).ID)
			ok(t, err)
			continue
		}
		sum += m.Body
		ok(t, q.Delete(t.Context(), m))
	}
	equal(t, "sum", sum, 4)
	equal(t, "messages", length(t, q), 0)
}

package docs

import (
	"strconv"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestExamplePipelineWorksOnceHoweverOftenItIsKilled(t *testing.T) {
	check.Slow(t)
	pool, binary := check.OwnDatabase(t), example(t, "pipeline")
	const sent = 1000
	startProgram(t, pool, binary, strconv.Itoa(sent)).succeeds()
	check.Equal(t, "payments", check.Value[int](t, pool, check.Tables("payments", `SELECT count(*)::int FROM {Q}`)), sent)

	// It dies between the effect of the first step and the message of the second,
	// and then within the second.
	for _, table := range []string{"pgmq.q_receipts", "receipts"} {
		free := heldLock(t, pool, table)
		p := startProgram(t, pool, binary)
		check.Eventually(t, "a handler has begun", func() bool { return waitsForLock(t, pool, table) > 0 })
		p.kill()
		free()
	}
	// And anywhere.
	for range 3 {
		p := startProgram(t, pool, binary)
		before := check.Value[int](t, pool, `SELECT count(*)::int FROM receipts`)
		check.Eventually(t, "it works", func() bool { return check.Value[int](t, pool, `SELECT count(*)::int FROM receipts`) > before })
		p.kill()
	}

	last := startProgram(t, pool, binary)
	last.succeeds()
	check.Contains(t, last.output(), "1000 payments booked, 0 of them twice; 1000 receipts, 0 of them twice")
	check.Equal(t, "payments booked", check.Value[int](t, pool, `SELECT count(DISTINCT payment)::int FROM bookings`), sent)
	check.Equal(t, "cents booked", check.Value[int](t, pool, `SELECT sum(cents)::int FROM bookings`), sent*995)
	check.Equal(t, "receipts", check.Value[int](t, pool, `SELECT count(DISTINCT payment)::int FROM receipts`), sent)
}

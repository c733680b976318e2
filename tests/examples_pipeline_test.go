package tests

import (
	"strconv"
	"testing"
)

func TestExamplePipelineWorksOnceHoweverOftenItIsKilled(t *testing.T) {
	t.Parallel()
	pool, binary := ownDatabase(t), example(t, "pipeline")
	const sent = 1000
	startProgram(t, pool, binary, strconv.Itoa(sent)).succeeds()
	equal(t, "payments", value[int](t, pool, tables("payments", `SELECT count(*)::int FROM {Q}`)), sent)

	// It dies between the effect of the first step and the message of the second,
	// and then within the second.
	for _, table := range []string{"pgmq.q_receipts", "receipts"} {
		free := heldLock(t, pool, table)
		p := startProgram(t, pool, binary)
		eventually(t, "a handler has begun", func() bool { return waitsForLock(t, pool, table) > 0 })
		p.kill()
		free()
	}
	// And anywhere.
	for range 3 {
		p := startProgram(t, pool, binary)
		before := value[int](t, pool, `SELECT count(*)::int FROM receipts`)
		eventually(t, "it works", func() bool { return value[int](t, pool, `SELECT count(*)::int FROM receipts`) > before })
		p.kill()
	}

	last := startProgram(t, pool, binary)
	last.succeeds()
	contains(t, last.output(), "1000 payments booked, 0 of them twice; 1000 receipts, 0 of them twice")
	equal(t, "payments booked", value[int](t, pool, `SELECT count(DISTINCT payment)::int FROM bookings`), sent)
	equal(t, "cents booked", value[int](t, pool, `SELECT sum(cents)::int FROM bookings`), sent*995)
	equal(t, "receipts", value[int](t, pool, `SELECT count(DISTINCT payment)::int FROM receipts`), sent)
}

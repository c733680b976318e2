package main

import (
	"context"
	"log"
	"strconv"
	"time"

	"github.com/pgmq-go/pgmq/queue/admin"
)

// send sends n payments.
func (p pipeline) send(ctx context.Context, n string) error {
	many, err := strconv.ParseUint(n, 10, 32)
	if err != nil {
		return err
	}
	batch := make([]payment, many)
	for i := range batch {
		batch[i] = payment{ID: int64(i + 1), Cents: 995}
	}
	_, err = p.payments.SendBatch(ctx, batch)
	return err
}

// done waits until the first queue is empty and then the second, and prints the
// counts.
func (p pipeline) done(ctx context.Context) error {
	for _, name := range []string{"payments", "receipts"} {
		for left := int64(1); left > 0; {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
			stats, err := admin.Stats(ctx, p.pool, name)
			if err != nil {
				return err
			}
			left = stats.Length
		}
	}
	var booked, twice, issued, again int
	err := p.pool.QueryRow(ctx, `
		SELECT * FROM (SELECT count(*), count(*) - count(DISTINCT payment) FROM bookings) AS b,
			(SELECT count(*), count(*) - count(DISTINCT payment) FROM receipts) AS r`).Scan(&booked, &twice, &issued, &again)
	log.Printf("%d payments booked, %d of them twice; %d receipts, %d of them twice", booked, twice, issued, again)
	return err
}

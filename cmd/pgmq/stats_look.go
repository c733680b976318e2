package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// countedBlocks of a queue are counted, 32 MB with the usual block size; of a
// longer one as many are sampled. It is what pgmq.metrics does.
const countedBlocks = 4096

// look is what a queue looked like at one moment, with PGMQ's names in JSON where
// it has one.
type look struct {
	Name string `json:"queue_name"`
	*metrics
	TableBytes      int64  `json:"table_bytes"`
	ArchiveBytes    int64  `json:"archive_bytes"`
	ArchiveEstimate *int64 `json:"archive_length_estimate"` // nil when the server has none yet
	Problem         string `json:"error,omitempty"`         // why there are no metrics

	deleted int64 // as the server's statistics count it
}

// metrics are counted from the messages of a queue. Ages are in seconds, and nil
// when there is no such message.
type metrics struct {
	At            time.Time `json:"scrape_time"`
	Length        int64     `json:"queue_length"`
	Visible       int64     `json:"queue_visible_length"`
	InFlight      int64     `json:"in_flight"`
	Delayed       int64     `json:"delayed"`
	Estimated     bool      `json:"estimated"`
	OldestVisible *int64    `json:"oldest_visible_age_sec"`
	Newest        *int64    `json:"newest_msg_age_sec"`
	MaxReads      int32     `json:"max_read_ct"`
	LastID        int64     `json:"total_messages"` // ever sent
	Sent          *float64  `json:"sent_per_sec"`   // nil at the first look
	Settled       *float64  `json:"settled_per_sec"`
}

// takeLooks looks at the named queues, or at all. The rates are since the looks
// before. A queue that this role may not read has a problem, and is no error.
func takeLooks(ctx context.Context, pool *pgxpool.Pool, names []string, before []look) ([]look, error) {
	rows, err := tablesOf(ctx, pool, names)
	if err != nil {
		return nil, err
	}
	last := map[string]look{}
	for _, l := range before {
		last[l.Name] = l
	}
	looks := make([]look, len(rows))
	for i, row := range rows {
		l := look{Name: row.QueueName, TableBytes: row.Size, ArchiveBytes: row.ArchiveSize, deleted: row.Deleted}
		if row.ArchiveEstimate >= 0 {
			l.ArchiveEstimate = &row.ArchiveEstimate
		}
		if err := l.measure(ctx, pool, row.Blocks); err != nil {
			return nil, err
		}
		l.compare(last[l.Name])
		looks[i] = l
	}
	return looks, nil
}

// tablesOf lists the named queues, or all.
func tablesOf(ctx context.Context, pool *pgxpool.Pool, names []string) ([]db.TablesRow, error) {
	if len(names) == 0 {
		rows, err := db.New().Tables(ctx, pool, pgtype.Text{})
		return rows, orNoSchema("list queues", err)
	}
	var all []db.TablesRow
	for _, name := range names {
		rows, err := db.New().Tables(ctx, pool, pgtype.Text{String: name, Valid: true})
		if err != nil {
			return nil, orNoSchema("list queues", err)
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("queue %q: stats: %w", name, queue.ErrNoQueue)
		}
		all = append(all, rows...)
	}
	return all, nil
}

// orNoSchema says of a failure that schema pgmq is missing, if it is.
func orNoSchema(doing string, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000") { // undefined_table, invalid_schema_name
		return fmt.Errorf("%s: %w: %w", doing, queue.ErrNoSchema, err)
	}
	return err
}

func (l *look) measure(ctx context.Context, pool *pgxpool.Pool, blocks int64) error {
	percent := 100.0
	if blocks > countedBlocks {
		percent = 100 * countedBlocks / float64(blocks)
	}
	m, err := db.New().Metrics(ctx, table.New(l.Name).Bind(pool), percent)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "42501": // insufficient_privilege
		l.Problem = pg.Message + ": docs/roles.md has the grants of a monitor"
	case errors.As(err, &pg) && pg.Code == "42P01": // undefined_table
		l.Problem = "its table is gone"
	case err != nil:
		return err
	default:
		l.metrics = &metrics{
			At: m.At, Length: m.Length, Visible: m.Visible, InFlight: m.Length - m.Visible - m.Delayed, Delayed: m.Delayed,
			Estimated: percent < 100, MaxReads: m.MaxReadCt, LastID: m.LastID,
		}
		if m.Visible > 0 {
			l.OldestVisible = seconds(m.At.Sub(m.OldestVisible))
		}
		if m.Length > 0 {
			l.Newest = seconds(m.At.Sub(m.Newest))
		}
	}
	return nil
}

func seconds(d time.Duration) *int64 {
	s := max(int64(d/time.Second), 0)
	return &s
}

// compare sets the rates since the look before. What was settled is what was sent
// and is not there. Lengths that are estimates say nothing of that: then it is
// what the server's statistics count, some seconds late.
func (l *look) compare(before look) {
	if l.metrics == nil || before.metrics == nil || l.LastID < before.LastID {
		return // the queue was made anew
	}
	took := l.At.Sub(before.At).Seconds()
	if took <= 0 {
		return
	}
	sent := float64(l.LastID - before.LastID)
	settled := sent - float64(l.Length-before.Length)
	if l.Estimated || before.Estimated {
		settled = float64(l.deleted - before.deleted)
	}
	perSecond := func(n float64) *float64 {
		rate := max(n, 0) / took
		return &rate
	}
	l.Sent, l.Settled = perSecond(sent), perSecond(settled)
}

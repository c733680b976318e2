package table

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
)

// Indexed is Bind for queries that find rows by msg_id: it has them planned
// without scans of the whole table, which is what the planner chooses for a table
// that was empty when it looked, and keeps to while a million messages arrive. Nor
// are they compiled: what the planner expects of a long queue would seem worth it.
// Nor do they go by the index on groups, as they would where a long transaction
// keeps dead rows: why, and why pages in order cost nothing, is said in
// schema/00022_plans.sql.
//
// The settings go along in the same round trip. In a transaction they are put
// back.
func (t *Table) Indexed(conn db.DBTX) db.DBTX {
	return indexed{bound{table: t, conn: conn}}
}

// The settings hold until the end of the transaction, which that of a lone
// statement is, too.
const (
	planByIndex = `SELECT
		set_config('pgmq.planned_before', concat_ws(' ', current_setting('enable_seqscan'), current_setting('enable_bitmapscan'), current_setting('jit'), current_setting('plan_cache_mode'), current_setting('seq_page_cost')), true),
		set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('jit', 'off', true),
		set_config('plan_cache_mode', 'force_generic_plan', true), set_config('seq_page_cost', '0', true)`
	planAsBefore = `SELECT
		set_config('enable_seqscan', split_part(current_setting('pgmq.planned_before'), ' ', 1), true),
		set_config('enable_bitmapscan', split_part(current_setting('pgmq.planned_before'), ' ', 2), true),
		set_config('jit', split_part(current_setting('pgmq.planned_before'), ' ', 3), true),
		set_config('plan_cache_mode', split_part(current_setting('pgmq.planned_before'), ' ', 4), true),
		set_config('seq_page_cost', split_part(current_setting('pgmq.planned_before'), ' ', 5), true)`
)

type indexed struct{ bound }

// batcher is what pools, connections and transactions have, and db.DBTX does not
// ask for.
type batcher interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func (i indexed) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, ok := i.conn.(batcher)
	if !ok {
		return i.bound.Query(ctx, sql, args...)
	}
	text, err := i.table.text(ctx, i.conn, sql)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	batch.Queue(planByIndex)
	batch.Queue(text, args...)
	if !Alone(i.conn) {
		batch.Queue(planAsBefore)
	}
	results := conn.SendBatch(ctx, batch)
	if _, err := results.Exec(); err != nil {
		return nil, closed(results, err)
	}
	rows, err := results.Query()
	if err != nil {
		return nil, closed(results, err)
	}
	return &rowsOfBatch{Rows: rawRows{rows}, results: results}, nil
}

func (i indexed) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := i.Query(ctx, sql, args...)
	if err != nil {
		return failedRow{err}
	}
	return onlyRow{rows}
}

// closed ends a batch that failed, and returns why it did.
func closed(results pgx.BatchResults, err error) error {
	_ = results.Close() // says the same
	return err
}

// rowsOfBatch are the rows of one statement of a batch, which ends with them.
type rowsOfBatch struct {
	pgx.Rows
	results pgx.BatchResults
	ended   error // of the batch: its commit may have failed
	over    bool
}

func (r *rowsOfBatch) Next() bool {
	more := r.Rows.Next()
	if !more {
		r.Close()
	}
	return more
}

func (r *rowsOfBatch) Close() {
	r.Rows.Close()
	if !r.over {
		r.over = true
		r.ended = r.results.Close()
	}
}

func (r *rowsOfBatch) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.ended
}

// onlyRow is the first of some rows.
type onlyRow struct{ rows pgx.Rows }

func (r onlyRow) Scan(dest ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	r.rows.Close()
	return r.rows.Err()
}

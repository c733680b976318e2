package table

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
)

// Indexed is Bind for queries that find rows by msg_id. It runs them with planner
// settings that force an index scan on the primary key. Without them three plans
// go wrong: a sequential scan, chosen while the table was empty, survives the
// arrival of a million messages; JIT compiles short queries of a long queue; and
// the index on groups looks cheaper while a long transaction keeps dead rows.
// schema/00005_read.sql explains the last one, and seq_page_cost.
//
// The settings go along in the same round trip. In a transaction Indexed restores
// the caller's settings afterwards.
func (t *Table) Indexed(conn Conn) db.DBTX {
	return indexed{bound: bound{table: t, conn: conn}, conn: conn}
}

// The settings are local to the transaction. A statement outside of one is a
// transaction, too.
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

type indexed struct {
	bound
	conn Conn
}

func (i indexed) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
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
	results := i.conn.SendBatch(ctx, batch)
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

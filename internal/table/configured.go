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
// It also has the DateStyle of Printed.
func (t *Table) Indexed(conn Conn) db.DBTX {
	return configured{bound: bound{table: t, conn: conn}, conn: conn, by: byIndex}
}

// Printed is Bind for other queries whose results depend on a style that can be set. These
// are times: where pgx receives text, as with the exec modes exec and simple_protocol, it
// understands no DateStyle but ISO. And they are names in definitions.
func (t *Table) Printed(conn Conn) db.DBTX {
	return configured{bound: bound{table: t, conn: conn}, conn: conn, by: printed}
}

// Printed is Table.Printed for queries on no queue's table.
func Printed(conn Conn) db.DBTX { return (*Table)(nil).Printed(conn) }

// settings are those that a query needs, and go along in the same round trip. They
// are local to the transaction; a statement outside of one is a transaction, too.
// In a transaction of the caller's the query is followed by a reset of the settings.
type settings struct{ set, reset string }

var (
	byIndex = settings{
		`SELECT
		set_config('pgmq.set_before', concat_ws('|', current_setting('enable_seqscan'), current_setting('enable_bitmapscan'), current_setting('jit'), current_setting('plan_cache_mode'), current_setting('seq_page_cost'), current_setting('datestyle')), true),
		set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('jit', 'off', true),
		set_config('plan_cache_mode', 'force_generic_plan', true), set_config('seq_page_cost', '0', true), set_config('datestyle', 'ISO', true)`,
		`SELECT
		set_config('enable_seqscan', split_part(current_setting('pgmq.set_before'), '|', 1), true),
		set_config('enable_bitmapscan', split_part(current_setting('pgmq.set_before'), '|', 2), true),
		set_config('jit', split_part(current_setting('pgmq.set_before'), '|', 3), true),
		set_config('plan_cache_mode', split_part(current_setting('pgmq.set_before'), '|', 4), true),
		set_config('seq_page_cost', split_part(current_setting('pgmq.set_before'), '|', 5), true),
		set_config('datestyle', split_part(current_setting('pgmq.set_before'), '|', 6), true)`,
	}
	printed = settings{
		`SELECT
		set_config('pgmq.set_before', concat_ws('|', current_setting('datestyle'), current_setting('quote_all_identifiers')), true),
		set_config('datestyle', 'ISO', true), set_config('quote_all_identifiers', 'off', true)`,
		`SELECT
		set_config('datestyle', split_part(current_setting('pgmq.set_before'), '|', 1), true),
		set_config('quote_all_identifiers', split_part(current_setting('pgmq.set_before'), '|', 2), true)`,
	}
)

// configured runs queries with settings.
type configured struct {
	bound
	conn Conn
	by   settings
}

func (c configured) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	text, err := c.table.text(ctx, c.conn, sql)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	batch.Queue(c.by.set)
	batch.Queue(text, args...)
	if !Alone(c.conn) {
		batch.Queue(c.by.reset)
	}
	results := c.conn.SendBatch(ctx, batch)
	if _, err := results.Exec(); err != nil {
		return nil, closed(results, err)
	}
	rows, err := results.Query()
	if err != nil {
		return nil, closed(results, err)
	}
	return &rowsOfBatch{Rows: rawRows{rows}, results: results}, nil
}

func (c configured) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := c.Query(ctx, sql, args...)
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

package sql

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// A statement planned with any statistics must use the index of a long queue, before an
// ANALYZE of that queue. Autovacuum is off for the table, so that nothing mends a plan in
// between.
func TestNoMomentOfTheStatisticsMakesAStatementReadTheWholeTable(t *testing.T) {
	check.Parallel(t)
	const long, rounds = 20_000, 8
	// From 17 on the index on groups is passed over once for an array, and not once
	// for each of its ids, so the planner prefers it to the key when a table is empty
	// and its indexes are not.
	const allGone = "vacuumed when it was long and all gone"
	from17 := check.Value[bool](t, pgtest.Pool(), `SELECT current_setting('server_version_num')::int >= 170000`)
	moments := []struct {
		name    string
		held    bool // by a transaction that keeps dead rows
		prepare []string
	}{
		{"new", false, nil},
		{"vacuumed while empty", false, []string{`VACUUM {Q}`}},
		{"analysed while empty", false, []string{`VACUUM ANALYZE {Q}`}},
		{"analysed with one message", false, []string{`INSERT INTO {Q} (vt) VALUES (now())`, `VACUUM ANALYZE {Q}`, `DELETE FROM {Q}`}},
		{allGone, false, []string{
			`INSERT INTO {Q} (vt) SELECT now() FROM generate_series(1, 5000)`, `DELETE FROM {Q}`, `VACUUM ANALYZE {Q}`,
		}},
		{"analysed when it was long and all but gone and kept", true, []string{
			`INSERT INTO {Q} (vt, message) SELECT now(), to_jsonb(repeat('x', 400)) FROM generate_series(1, 15000)`, `DELETE FROM {Q}`,
			`INSERT INTO {Q} (vt, message) SELECT now(), '1' FROM generate_series(1, 3)`, `VACUUM ANALYZE {Q}`,
		}},
	}
	for _, moment := range moments {
		for _, where := range []string{"pool", "transaction"} {
			t.Run(moment.name+" in a "+where, func(t *testing.T) {
				t.Parallel()
				q := pgtest.Queue[int](t)
				name := q.Name()
				check.Exec(t, pgtest.Pool(), check.Tables(name, `ALTER TABLE {Q} SET (autovacuum_enabled = off)`))
				if moment.held {
					check.HoldHorizon(t)
				}
				for _, sql := range moment.prepare {
					check.Exec(t, pgtest.Pool(), check.Tables(name, sql))
				}
				pool := check.NewPool(t, func(c *pgxpool.Config) { c.MaxConns = 1 })
				do := func() { // on one connection, which prepares and keeps its plans
					if where == "pool" {
						everyStatement(t, check.Open[int](t, pool, name))
						everyFunction(t, pool, name)
						return
					}
					check.OK(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
						everyStatement(t, check.Open[int](t, tx, name))
						check.Equal(t, "seqscans of the user's own statements", check.Value[string](t, tx, `SHOW enable_seqscan`), "on")
						check.Equal(t, "and what pages cost them", check.Value[string](t, tx, `SHOW seq_page_cost`), check.Value[string](t, pgtest.Pool(), `SHOW seq_page_cost`))
						check.Equal(t, "and their JIT", check.Value[string](t, tx, `SHOW jit`), check.Value[string](t, pgtest.Pool(), `SHOW jit`))
						return nil
					}))
				}
				for range rounds { // a generic plan is made at the sixth
					do()
				}
				check.Exec(t, pgtest.Pool(), check.Tables(name, `INSERT INTO {Q} (vt, message) SELECT now() - interval '1 s', '1' FROM generate_series(1, $1)`), long)
				scanned := func() int64 {
					return check.Value[int64](t, pgtest.Pool(), check.Tables(name, `SELECT seq_tup_read FROM pg_stat_all_tables WHERE relid = '{Q}'::regclass`))
				}
				before := scanned()
				for range rounds {
					do()
				}
				backend := check.Value[int](t, pool, `SELECT pg_backend_pid()`)
				pool.Close() // at its end it reports its reads
				check.Eventually(t, "the connection has ended", func() bool {
					return check.Value[bool](t, pgtest.Pool(), `SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)`, backend)
				})
				if n := scanned() - before; n >= long {
					t.Errorf("%d rows were read by scans of the whole table", n)
				}
				if n := check.Value[int](t, pgtest.Pool(), check.Tables(name, `
					SELECT sum(idx_scan)::int FROM pg_stat_all_indexes JOIN pg_index USING (indexrelid)
					WHERE pg_index.indrelid = '{Q}'::regclass AND NOT indisprimary`)); n > 0 && (!from17 || moment.name != allGone) {
					t.Errorf("the index on groups was read %d times", n)
				}
			})
		}
	}
}

// everyStatement does everything that finds messages, to the oldest ones.
func everyStatement(t testing.TB, q *queue.Queue[int]) {
	t.Helper()
	ctx := t.Context()
	for _, settle := range []func(...*queue.Message[int]) error{
		func(m ...*queue.Message[int]) error { return q.Delete(ctx, m...) },
		func(m ...*queue.Message[int]) error { return q.Archive(ctx, m...) },
		func(m ...*queue.Message[int]) error { return q.SetVT(ctx, time.Hour, m...) },
	} {
		msgs, err := q.Read(ctx, 2)
		check.OK(t, err)
		check.OK(t, settle(msgs...))
	}
	byID := []func(context.Context, ...int64) ([]int64, error){
		q.DeleteID, q.ArchiveID,
		func(ctx context.Context, ids ...int64) ([]int64, error) { return q.SetVTID(ctx, time.Hour, ids...) },
	}
	for i, settle := range byID {
		_, err := settle(ctx, int64(100+i), 7)
		check.OK(t, err)
	}
	if _, err := q.Pop(ctx, 1); err != nil {
		check.OK(t, err)
	}
}

// everyFunction does the same by SQL.
func everyFunction(t testing.TB, on check.Querier, queue string) {
	t.Helper()
	for _, sql := range []string{
		`SELECT pgmq.delete($1, array_agg(msg_id)) FROM pgmq.read($1, 60, 2)`,
		`SELECT pgmq.archive($1, array_agg(msg_id)) FROM pgmq.read($1, 60, 2)`,
		`SELECT pgmq.set_vt($1, array_agg(msg_id), 3600) FROM pgmq.read($1, 60, 2)`,
		`SELECT pgmq.delete($1, 105)`, `SELECT pgmq.archive($1, 106)`, `SELECT pgmq.set_vt($1, 107, 60)`,
		`SELECT pgmq.pop($1, 2)`,
	} {
		check.Exec(t, on, sql, queue)
	}
}

// Of two indexes that cost the same the planner takes the one that was made last.
// In older queues it is the index on groups.
func TestReindexingTheKeyOfAnOlderQueueHasPlansGoByIt(t *testing.T) {
	check.Parallel(t)
	// Reindexing concurrently waits for every session with a snapshot in the database.
	pool := check.OwnDatabase(t)
	check.OK(t, admin.Create(t.Context(), pool, "q"))
	check.Exec(t, pool, `DROP INDEX pgmq.q_q_coalesce_msg_id_idx`)
	check.Exec(t, pool, `SELECT pgmq.create_fifo_index('q')`)
	check.Exec(t, pool, `VACUUM pgmq.q_q`)
	usesKey := func() (uses bool) {
		check.OK(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			check.Exec(t, tx, `SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL seq_page_cost = 0`)
			rows, err := tx.Query(t.Context(), `EXPLAIN DELETE FROM pgmq.q_q WHERE msg_id = ANY ('{1,2}')`)
			check.OK(t, err)
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			uses = strings.Contains(strings.Join(lines, " "), "q_q_pkey")
			return err
		}))
		return uses
	}
	check.Equal(t, "the key is used before", usesKey(), false)
	check.Exec(t, pool, `REINDEX INDEX CONCURRENTLY pgmq.q_q_pkey`)
	check.Equal(t, "the key is used after", usesKey(), true)
}

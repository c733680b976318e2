package sql

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

var (
	call    = regexp.MustCompile(`(?i)\b([a-z_]+)\s*\(`)
	comment = regexp.MustCompile(`--[^\n]*`)
	write   = regexp.MustCompile(`(?i)\b(UPDATE|DELETE FROM)\s+pgmq\.`)
	arith   = regexp.MustCompile(`(?i)\b(vt|enqueued_at|last_read_at)\s*[+-]\s`)
	// A sub-select of its own is no part of the write.
	scalar = regexp.MustCompile(`\(SELECT date_part\('epoch', clock_timestamp\(\)\) - date_part\('epoch', statement_timestamp\(\)\)\)`)
	locked = regexp.MustCompile(`(?is)ARRAY\(\s*SELECT.*?FOR UPDATE SKIP LOCKED`)
)

// A distributed Postgres refuses volatile functions in writes, and arithmetic on
// a timestamp column there.
func TestWritesUseNoVolatileFunction(t *testing.T) {
	check.Parallel(t)
	volatile := map[string]bool{}
	for _, name := range check.Values[string](t, pgtest.Pool(), `SELECT DISTINCT proname::text FROM pg_proc WHERE provolatile = 'v' AND pronamespace = 'pg_catalog'::regnamespace`) {
		volatile[name] = true
	}
	if !volatile["clock_timestamp"] || volatile["statement_timestamp"] {
		t.Fatal("the check itself is broken")
	}
	files, err := filepath.Glob(check.Root("queries/*.sql"))
	check.OK(t, err)
	writes := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		check.OK(t, err)
		for _, query := range strings.Split(string(text), "-- name: ")[1:] {
			_, query, _ = strings.Cut(query, "\n")
			query = locked.ReplaceAllString(scalar.ReplaceAllString(comment.ReplaceAllString(query, ""), ""), "")
			if !write.MatchString(query) {
				continue
			}
			writes++
			for _, match := range call.FindAllStringSubmatch(query, -1) {
				if volatile[strings.ToLower(match[1])] {
					t.Errorf("%s calls %s in a write:%s", file, match[1], query)
				}
			}
			if arith.MatchString(query) {
				t.Errorf("%s reckons with a timestamp column in a write:%s", file, query)
			}
		}
	}
	if writes < 8 {
		t.Fatalf("only %d writes were found", writes)
	}
}

func TestQueueTablesAreAsPGMQLaysThemOut(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for _, storage := range []admin.Storage{admin.Logged, admin.Unlogged} {
		name := pgtest.Queue[check.Order](t, storage).Name()
		check.Same(t, "columns of the queue", columns(t, "q_"+name), []string{
			"msg_id bigint not null a ", "read_ct integer not null  0", "enqueued_at timestamp with time zone not null  now()",
			"last_read_at timestamp with time zone  ", "vt timestamp with time zone not null  ", "message jsonb  ", "headers jsonb  ",
		})
		check.Same(t, "columns of the archive", columns(t, "a_"+name), []string{
			"msg_id bigint not null  ", "read_ct integer not null  0", "enqueued_at timestamp with time zone not null  now()",
			"last_read_at timestamp with time zone  ", "archived_at timestamp with time zone not null  now()",
			"vt timestamp with time zone not null  ", "message jsonb  ", "headers jsonb  ",
		})
		check.Same(t, "indexes", check.Values[string](t, pool, `SELECT indexname::text FROM pg_indexes WHERE tablename IN ('q_' || $1, 'a_' || $1) ORDER BY 1`, name),
			[]string{"a_" + name + "_pkey", "archived_at_idx_" + name, "q_" + name + "_coalesce_msg_id_idx", "q_" + name + "_pkey"})
		check.Equal(t, "sequence", check.Value[string](t, pool, `SELECT pg_get_serial_sequence('pgmq.q_' || $1, 'msg_id')`, name), "pgmq.q_"+name+"_msg_id_seq")
		check.Equal(t, "triggers, foreign keys and parents", check.Value[int](t, pool, `
			SELECT ((SELECT count(*) FROM pg_trigger WHERE tgrelid = q) + (SELECT count(*) FROM pg_inherits WHERE inhrelid = q)
				+ (SELECT count(*) FROM pg_constraint WHERE conrelid = q AND contype NOT IN ('p', 'n')))::int
			FROM (SELECT ('pgmq.q_' || $1)::regclass AS q) AS t`, name), 0)
		want := map[admin.Storage]string{admin.Logged: "p", admin.Unlogged: "u"}[storage]
		check.Equal(t, "persistence", check.Value[string](t, pool, `SELECT string_agg(relpersistence::text, '' ORDER BY relname DESC) FROM pg_class WHERE relname IN ('q_' || $1, 'a_' || $1)`, name), want+"p")
		check.Equal(t, "fillfactor", check.Value[bool](t, pool, `SELECT 'fillfactor=50' = ANY (reloptions) FROM pg_class WHERE relname = 'q_' || $1`, name), true)
	}
}

func columns(t testing.TB, table string) []string {
	t.Helper()
	return check.Values[string](t, pgtest.Pool(), `
		SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
			|| ' ' || attidentity::text || ' ' || coalesce(pg_get_expr(adbin, adrelid), '')
		FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE attrelid = ('pgmq.' || $1)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, table)
}

func TestTheTemplateTablesRefuseRows(t *testing.T) {
	check.Parallel(t)
	for _, sql := range []string{
		`INSERT INTO pgmq.template_queue (vt) VALUES (now())`,
		`INSERT INTO pgmq.template_archive (msg_id, vt) VALUES (1, now())`,
	} {
		_, err := pgtest.Pool().Exec(t.Context(), sql)
		check.SQLState(t, err, "23514")
	}
}

func TestIDsBeyond48Bits(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {Q} ALTER COLUMN msg_id RESTART WITH 281474976710657`))
	high := check.SendBatch(t, q, make([]check.Order, 2))
	check.Equal(t, "id", high[0], 1<<48+1)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `INSERT INTO {Q} (msg_id, vt, message) OVERRIDING SYSTEM VALUE VALUES (1, now(), '{"order_id": 9}'), (2, now(), '{}')`))
	msgs := check.Read(t, q, 3, queue.VT(time.Hour))
	check.Equal(t, "lowest first", msgs[0].Body.ID, 9)
	check.OK(t, q.Delete(t.Context(), msgs[0], msgs[2]))
	check.OK(t, q.Archive(t.Context(), msgs[1]))
	m := check.Pop(t, q)
	check.Equal(t, "popped", m.ID, high[1])
	check.Equal(t, "messages", check.Length(t, q), 0)
}

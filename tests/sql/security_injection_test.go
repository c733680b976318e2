package sql

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// canary records that SQL from a value was run: it draws from a sequence,
// which no rollback undoes.
const canary = `
	CREATE SEQUENCE public.sung;
	CREATE FUNCTION public.canary() RETURNS boolean LANGUAGE sql AS $$ SELECT nextval('public.sung') > 0 $$`

func silent(t testing.TB, pool *pgxpool.Pool, what string) {
	t.Helper()
	if check.Value[bool](t, pool, `SELECT is_called FROM public.sung`) {
		check.Exec(t, pool, `ALTER SEQUENCE public.sung RESTART`)
		t.Errorf("%s runs SQL that came as a value", what)
	}
}

// hostile are texts that break out of one kind of quotes or another. Names of queues
// have neither ' nor ; nor $ nor --.
var hostile = []string{
	`public.canary()`,
	`q; SELECT public.canary(); --`,
	`q WHERE public.canary() RETURNING msg_id --`,
	`q (vt) SELECT now() WHERE public.canary() RETURNING msg_id --`,
	`q" WHERE public.canary() RETURNING msg_id --`,
	`q" WHERE public.canary() OR "q`,
	`q" AS "x", public.canary() AS "y`,
	`q", public.canary(), "q`,
	`q"; SELECT public.canary(); --`,
	`'; SELECT public.canary(); --`,
	`' || public.canary() || '`,
	`\'; SELECT public.canary(); --`,
	`\' || public.canary() || \'`,
	`$$; SELECT public.canary(); --`,
	`$$ || public.canary() || $$`,
	`1); SELECT public.canary(); --`,
	`{"a": public.canary()}`,
	`%1$s' || public.canary() || '`,
	`%I%L%s"'`,
	"x\n; SELECT public.canary();",
	"\u02bc; SELECT public.canary(); --", // a quote to code that simplifies
	strings.Repeat(`"`, 30) + ` public.canary() `,
	strings.Repeat(`'`, 1<<16) + `; SELECT public.canary(); --`,
}

// exposed is a database with a canary, all functions that take strings, and queues whose
// names, groups and topics are hostile already: they come back from tables.
func exposed(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := check.DatabaseWith(t, schema.Optionals()...)
	check.Exec(t, pool, canary)
	check.Exec(t, pool, `SELECT pgmq.create('q'), pgmq.create_partitioned('parts', '10', '100'), pgmq.bind_topic('a.*', 'q'), pgmq.enable_notify_insert('q')`)
	for _, text := range hostile {
		check.Exec(t, pool, `SELECT pgmq.send('q', jsonb_build_object('a', 1, $1::text, $1::text), jsonb_build_object('x-pgmq-group', $1::text, $1::text, 1))`, text)
		if _, err := queue.New[int](pool, text); err == nil {
			check.Exec(t, pool, `SELECT pgmq.create_partitioned($1, '10', '100'), pgmq.bind_topic('a.*', $1), pgmq.enable_notify_insert($1), pgmq.send($1, '1')`, text)
		}
		// Other roles read the values that one role may write there.
		check.Exec(t, pool, `INSERT INTO pgmq.meta VALUES ($1, false, false) ON CONFLICT DO NOTHING`, text)
	}
	return pool
}

// benign are arguments that a function can work with. The poll is short, for most
// hostile texts make it find nothing.
var benign = map[string]string{
	"text": "q", "character varying": "q", "name": "q", "text[]": "{q}", "regclass": "pgmq.q_q",
	"jsonb": `{"a": 1}`, "jsonb[]": `{"{\"a\": 1}"}`, "integer": "1", "integer[]": "{1}", "bigint": "1", "bigint[]": "{1}",
	"boolean": "true", "numeric": "1", "interval": "1 hour", "pgmq._figures": "(,,,,,,,,,,,,,)",
	"timestamp with time zone": "2026-11-24 00:00:00+00", "timestamp with time zone[]": `{"2026-11-24 00:00:00+00"}`,
}

// evil puts a hostile text into a value of a type, or returns nil.
func evil(t testing.TB, typ, text string) []string {
	t.Helper()
	quoted, err := json.Marshal(text)
	check.OK(t, err)
	inside := func(js string) string { return strings.ReplaceAll(js, "TEXT", string(quoted)) }
	array := func(element string) string {
		return `{"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(element) + `"}`
	}
	switch typ {
	case "text", "character varying", "name":
		return []string{text}
	case "text[]":
		return []string{array(text)}
	case "jsonb":
		return []string{inside(`TEXT`), inside(`{TEXT: TEXT, "x-pgmq-group": TEXT}`)}
	case "jsonb[]":
		return []string{array(inside(`{TEXT: TEXT, "x-pgmq-group": TEXT}`))}
	}
	return nil
}

// takesSQL is the one argument that is a piece of SQL, an ORDER BY. It comes from
// constants in the functions that call it, and runs with the caller's rights.
const takesSQL = "pgmq._read_groups(text,integer,integer,integer,boolean,text) 5"

// function is one that anybody can call.
type function struct {
	Signature string
	Name      string
	Procedure bool
	Types     []string
}

func functions(t testing.TB, pool *pgxpool.Pool) []function {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT p.oid::regprocedure::text, format('%I.%I', n.nspname, p.proname), p.prokind = 'p',
			ARRAY(SELECT format_type(type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, ord) ORDER BY ord)
		FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
		WHERE (n.nspname IN ('pgmq', 'pgmq_public') OR n.nspname = 'public' AND p.proname LIKE 'pgmq\_%') AND p.prorettype <> 'trigger'::regtype
		ORDER BY 1`)
	check.OK(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[function])
	check.OK(t, err)
	return all
}

// aPartitionedTable is an argument of functions of the upkeep.
const aPartitionedTable = `SELECT p::text FROM pgmq.partitioned_tables AS p WHERE queue_name = 'parts' LIMIT 1`

// benign returns arguments that the function can work with.
func (f function) benign(t testing.TB, partitionedTable string) []string {
	t.Helper()
	var args []string
	for _, typ := range f.Types {
		arg, known := benign[typ]
		if typ == "pgmq.partitioned_tables" {
			arg, known = partitionedTable, true
		}
		if !known {
			t.Fatalf("%s takes a %s: tell this test of one that is benign", f.Signature, typ)
		}
		args = append(args, arg)
	}
	return args
}

// call fails the test if the server found a value to be bad SQL. Most calls fail
// otherwise, for there is no such queue, or the text is no time or pattern.
func (f function) call(t testing.TB, db check.Querier, args []string) {
	t.Helper()
	var params []string
	var values []any
	for i, typ := range f.Types {
		params = append(params, fmt.Sprintf("$%d::text::%s", i+1, typ))
		values = append(values, args[i])
	}
	verb := "SELECT "
	if f.Procedure {
		verb = "CALL "
	}
	_, err := db.Exec(t.Context(), verb+f.Name+"("+strings.Join(params, ", ")+")", values...)
	const syntaxError = "42601"
	if pg, failed := errors.AsType[*pgconn.PgError](err); failed && pg.Code == syntaxError {
		t.Errorf("%s of %.100q: %v", f.Signature, args, err)
	}
}

// Every function, new ones too, is called with a hostile text in the place of each
// string that it takes. The texts take turns.
func TestNoFunctionRunsAValue(t *testing.T) {
	check.Parallel(t)
	turn := 0
	runsNone(t, func() []string {
		turn++
		return hostile[turn%len(hostile):][:1]
	})
}

func TestNoFunctionRunsAnyValue(t *testing.T) {
	check.Slow(t)
	runsNone(t, func() []string { return hostile })
}

// runsNone calls every function, with some hostile texts for each string that it
// takes.
func runsNone(t *testing.T, some func() []string) {
	t.Helper()
	pool := exposed(t)
	impatient := check.PoolLike(t, pool, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["statement_timeout"] = "100" // polls find nothing
	})
	silent(t, pool, "making and listing hostile queues")
	all := functions(t, pool)
	if len(all) < 100 {
		t.Fatalf("only %d functions were found", len(all))
	}
	row := check.Value[string](t, pool, aPartitionedTable)
	calls := 0
	for _, f := range all {
		args := f.benign(t, row)
		for i, typ := range f.Types {
			if fmt.Sprint(f.Signature, " ", i) == takesSQL {
				continue
			}
			for _, text := range some() {
				for _, arg := range evil(t, typ, text) {
					with := slices.Clone(args)
					with[i] = arg
					calls++
					if f.Procedure { // commits itself
						f.call(t, impatient, with)
						continue
					}
					// With any result: a late timeout ends the statement after its own.
					_ = pgx.BeginFunc(t.Context(), impatient, func(tx pgx.Tx) error {
						f.call(t, tx, with)
						return errors.New("roll back")
					})
				}
			}
		}
		// Functions that work with strings from tables may commit.
		f.call(t, impatient, args)
		silent(t, pool, f.Signature)
	}
	t.Logf("%d calls of %d functions", calls, len(all))
}

func TestTheGoAPIRunsNoValue(t *testing.T) {
	check.Long(t)
	pool := check.OwnDatabase(t)
	check.Exec(t, pool, canary)
	plain := check.OwnQueue[map[string]string](t, pool, "plain")
	for _, text := range hostile {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
			through := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
			q := plain
			if _, err := queue.New[int](through, text); err == nil {
				check.OK(t, admin.Create(t.Context(), through, text))
				check.Life(t, through, check.Open[check.Order](t, through, text))
				q = check.Open[map[string]string](t, through, text)
			} else {
				check.Is(t, err, queue.ErrInvalidName)
			}
			body, headers := map[string]string{text: text}, queue.Headers{text: text, "x-pgmq-group": text}
			check.Send(t, q, body, headers)
			m := check.Read(t, q, 1)[0]
			check.Equal(t, "the body", m.Body[text], text)
			check.Equal(t, "the header", m.Headers[text], any(text))
			check.OK(t, q.Archive(t.Context(), m))

			moved, err := admin.Redrive(t.Context(), through, "plain", admin.To("plain"), admin.ForReason(text))
			check.Is(t, err, queue.ErrInvalidOption)
			check.Equal(t, "moved", moved, 0)
			_, err = admin.Redrive(t.Context(), through, q.Name(), admin.To(text), admin.ForReason(text), admin.Containing(text))
			if err == nil && q != plain {
				t.Errorf("moved from %q to itself", text)
			}
			silent(t, pool, fmt.Sprintf("%.40q by %v", text, mode))
		}
	}
}

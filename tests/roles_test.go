package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

const insufficientPrivilege = "42501"

// role makes a role with some grants, and a pool that works under it.
func role(t testing.TB, name string, grants ...string) *pgxpool.Pool {
	t.Helper()
	return roleOn(t, pgtest.Pool(), name, grants...)
}

// granting is held by who grants or revokes: Postgres does not wait for another
// that changes the rights to the same schema, it fails.
var granting sync.Mutex

// roleOn is role for another database.
func roleOn(t testing.TB, pool *pgxpool.Pool, name string, grants ...string) *pgxpool.Pool {
	t.Helper()
	id := fmt.Sprintf("%s_%d", name, time.Now().UnixNano())
	exec(t, pool, "CREATE ROLE "+id)
	t.Cleanup(func() {
		granting.Lock()
		defer granting.Unlock()
		_, _ = pool.Exec(context.Background(), "DROP OWNED BY "+id+"; DROP ROLE "+id)
	})
	granting.Lock()
	defer granting.Unlock()
	for _, grant := range grants {
		exec(t, pool, grant+" TO "+id)
	}
	return poolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["role"] = id })
}

func forbidden(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("the role may %s", what)
	}
	sqlState(t, err, insufficientPrivilege)
}

// documented makes a role with the grants that docs/roles.md has under some
// headings, for a queue of this name.
func documented(t testing.TB, name string, headings ...string) *pgxpool.Pool {
	t.Helper()
	return documentedOn(t, pgtest.Pool(), name, headings...)
}

// documentedOn is documented for another database.
func documentedOn(t testing.TB, pool *pgxpool.Pool, name string, headings ...string) *pgxpool.Pool {
	t.Helper()
	text, err := os.ReadFile("../docs/roles.md")
	ok(t, err)
	var grants []string
	for _, heading := range headings {
		_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
		block := regexp.MustCompile("(?s)```sql\n(.*?)```").FindStringSubmatch(section)
		if !found || block == nil {
			t.Fatalf("docs/roles.md has no SQL for %s", heading)
		}
		statements := strings.NewReplacer("_orders", "_"+name).Replace(block[1])
		for _, grant := range strings.Split(strings.TrimSpace(statements), "\n") {
			grants = append(grants, strings.TrimSuffix(grant, " TO app;"))
		}
	}
	return roleOn(t, pool, strings.ToLower(headings[0]), grants...)
}

// may are the calls of PGMQ's API, and what a role needs to be to make them.
var may = map[string][]string{
	`SELECT pgmq.send($1, '1')`:                              {"Producer"},
	`SELECT pgmq.send($1, '1', '{}'::jsonb, 5)`:              {"Producer"},
	`SELECT pgmq.send_batch($1, '{1,2}')`:                    {"Producer"},
	`SELECT pgmq.read($1, 30, 1)`:                            {"Consumer"},
	`SELECT pgmq.read_with_poll($1, 30, 1)`:                  {"Consumer"},
	`SELECT pgmq.read_grouped($1, 30, 1)`:                    {"Consumer"},
	`SELECT pgmq.read_grouped_rr($1, 30, 1)`:                 {"Consumer"},
	`SELECT pgmq.read_grouped_head($1, 30, 1)`:               {"Consumer"},
	`SELECT pgmq.pop($1)`:                                    {"Consumer"},
	`SELECT pgmq.delete($1, 1::bigint)`:                      {"Consumer"},
	`SELECT pgmq.delete($1, '{1}'::bigint[])`:                {"Consumer"},
	`SELECT pgmq.archive($1, 1::bigint)`:                     {"Consumer"},
	`SELECT pgmq.archive($1, '{1}'::bigint[])`:               {"Consumer"},
	`SELECT pgmq.set_vt($1, 1::bigint, 5)`:                   {"Consumer"},
	`SELECT pgmq.metrics($1)`:                                {"Monitor"},
	`SELECT pgmq.list_queues() WHERE $1 <> ''`:               {"Monitor", "Owner"},
	`SELECT message FROM {Q} WHERE $1 <> ''`:                 {"Consumer"},
	`SELECT message FROM {A} WHERE $1 <> ''`:                 {"Auditor"},
	`UPDATE {Q} SET message = NULL WHERE $1 <> ''`:           nil,
	`UPDATE {A} SET message = NULL WHERE $1 <> ''`:           nil,
	`DELETE FROM {A} WHERE $1 <> ''`:                         nil,
	`INSERT INTO pgmq.meta VALUES ('x' || $1, false, false)`: {"Owner"},
	`SELECT pgmq.purge_queue($1)`:                            nil,
	`SELECT pgmq.drop_queue($1)`:                             nil,
	`SELECT pgmq.create($1 || '2')`:                          {"Owner"},
	`SELECT pgmq.create_unlogged($1 || '2')`:                 {"Owner"},
	`SELECT pgmq.create_partitioned($1 || '2')`:              {"Owner"},
	`SELECT pgmq.convert_archive_partitioned($1)`:            nil,
	`SELECT pgmq.enable_notify_insert($1)`:                   nil,
	`SELECT pgmq.bind_topic('a', $1)`:                        {"Owner"},
	`SELECT pgmq.unbind_topic('a', $1)`:                      {"Owner"},
	`SELECT pgmq.list_topic_bindings() WHERE $1 <> ''`:       {"Owner"},
	`SELECT pgmq.create($1 || '2'), pgmq.send($1 || '2', '1'), pgmq.enable_notify_insert($1 || '2'), pgmq.purge_queue($1 || '2'), pgmq.drop_queue($1 || '2')`: {"Owner"},
}

func TestEachRoleMayDoWhatIsDocumentedAndNoMore(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"Producer", "Consumer", "Monitor", "Auditor", "Owner"} {
		q := pgtest.Queue[int](t)
		sendBatch(t, q, []int{1, 2, 3})
		pool := documented(t, q.Name(), kind)
		for call, kinds := range may {
			tx, err := pool.Begin(t.Context())
			ok(t, err)
			_, err = tx.Exec(t.Context(), tables(q.Name(), call), q.Name())
			ok(t, tx.Rollback(t.Context()))
			if slices.Contains(kinds, kind) {
				if err != nil {
					t.Errorf("%s: %s: %v", kind, call, err)
				}
				continue
			}
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != insufficientPrivilege {
				t.Errorf("%s: %s: %v", kind, call, err)
			}
		}
		equal(t, "messages left by the "+kind, length(t, q), 3)
	}
}

func TestTheGoAPIWorksWithTheDocumentedGrants(t *testing.T) {
	t.Parallel()
	ctx, owner := t.Context(), pgtest.Queue[Order](t)
	producer := open[Order](t, documented(t, owner.Name(), "Producer"), owner.Name())
	send(t, producer, Order{ID: 1})
	sendBatch(t, producer, make([]Order, 5), queue.Headers{"a": 1}, queue.Delay(time.Millisecond))
	_, err := producer.Read(ctx, 1)
	forbidden(t, "read", err)

	consumer := open[Order](t, documented(t, owner.Name(), "Consumer"), owner.Name())
	msgs := read(t, consumer, 4, queue.Wait(time.Second))
	ok(t, consumer.SetVT(ctx, time.Hour, msgs...))
	ok(t, consumer.Delete(ctx, msgs[0]))
	ok(t, consumer.Archive(ctx, msgs[1]))
	_, err = consumer.ArchiveID(ctx, msgs[2].ID)
	ok(t, err)
	_, err = consumer.Pop(ctx)
	ok(t, err)
	_, err = consumer.Send(ctx, Order{})
	forbidden(t, "send", err)

	stranger := open[Order](t, role(t, "stranger"), owner.Name())
	_, err = stranger.Send(ctx, Order{})
	forbidden(t, "send", err)
	_, err = stranger.Read(ctx, 1)
	forbidden(t, "read", err)
}

func TestAConsumerNeedsOneMoreGrantForItsDeadLetters(t *testing.T) {
	t.Parallel()
	source := pgtest.Queue[int](t)
	dead := pgtest.Named[int](t, source.Name()+"_dead")
	sendBatch(t, source, []int{1, 2})
	p := receipts(t, source.Name())
	consumer := documented(t, source.Name(), "Consumer")
	deadly := documented(t, source.Name(), "Consumer", "Dead letters")

	letter := db.DeadLetterParams{
		Source: source.Name(), Target: pgtype.Text{String: dead.Name(), Valid: true},
		MsgIDs: p.MsgIDs[:1], ReadCts: p.ReadCts[:1], LastReadAts: p.LastReadAts[:1], Notes: p.Notes[:1],
	}
	_, err := db.New().DeadLetter(t.Context(), consumer, letter)
	forbidden(t, "send dead letters", err)
	buried, err := db.New().DeadLetter(t.Context(), deadly, letter)
	ok(t, err)
	equal(t, "dead letters", len(buried), 1)
	_, err = deadly.Exec(t.Context(), tables(dead.Name(), `SELECT msg_id FROM {Q}`))
	forbidden(t, "read the dead letters", err)

	// The archive is in reach of both.
	letter.Target = pgtype.Text{}
	letter.MsgIDs, letter.ReadCts, letter.LastReadAts, letter.Notes = p.MsgIDs[1:], p.ReadCts[1:], p.LastReadAts[1:], p.Notes[1:]
	buried, err = db.New().DeadLetter(t.Context(), consumer, letter)
	ok(t, err)
	equal(t, "archived", len(buried), 1)

	// Back again.
	redriver := documented(t, dead.Name(), "Consumer")
	back := db.RedriveParams{Source: dead.Name(), Target: source.Name(), N: 10}
	_, err = db.New().Redrive(t.Context(), redriver, back)
	forbidden(t, "redrive", err)
	var user string
	ok(t, redriver.QueryRow(t.Context(), `SELECT current_user`).Scan(&user))
	exec(t, pgtest.Pool(), tables(source.Name(), `GRANT INSERT (vt, message, headers) ON {Q} TO `+user))
	redriven, err := db.New().Redrive(t.Context(), redriver, back)
	ok(t, err)
	equal(t, "redriven", len(redriven), 1)
}

// Whatever is called under any name on the caller's path, ours calls its own.
func TestNoFunctionDependsOnTheSearchPath(t *testing.T) {
	t.Parallel()
	same(t, "plpgsql functions without a path of their own", values[string](t, pgtest.Pool(), `
		SELECT p.oid::regprocedure::text
		FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
		WHERE p.pronamespace = 'pgmq'::regnamespace AND l.lanname = 'plpgsql' AND p.prokind = 'f'
			AND NOT coalesce(p.proconfig, '{}') && '{"search_path=pg_catalog, pg_temp"}'`), nil)
}

func TestNoFunctionLendsItsOwnersRights(t *testing.T) {
	t.Parallel()
	same(t, "security definers", values[string](t, pgtest.Pool(), `
		SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND prosecdef`), nil)
}

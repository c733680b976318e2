package sql

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// may are the calls of PGMQ's API, and the kinds of roles that may make them.
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
	check.Parallel(t)
	for _, kind := range []string{"Producer", "Consumer", "Monitor", "Auditor", "Owner"} {
		q := pgtest.Queue[int](t)
		check.SendBatch(t, q, []int{1, 2, 3})
		pool := check.Documented(t, q.Name(), kind)
		for call, kinds := range may {
			tx, err := pool.Begin(t.Context())
			check.OK(t, err)
			_, err = tx.Exec(t.Context(), check.Tables(q.Name(), call), q.Name())
			check.OK(t, tx.Rollback(t.Context()))
			if slices.Contains(kinds, kind) {
				if err != nil {
					t.Errorf("%s: %s: %v", kind, call, err)
				}
				continue
			}
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != check.InsufficientPrivilege {
				t.Errorf("%s: %s: %v", kind, call, err)
			}
		}
		check.Equal(t, "messages left by the "+kind, check.Length(t, q), 3)
	}
}

func TestTheGoAPIWorksWithTheDocumentedGrants(t *testing.T) {
	check.Parallel(t)
	ctx, owner := t.Context(), pgtest.Queue[check.Order](t)
	producer := check.Open[check.Order](t, check.Documented(t, owner.Name(), "Producer"), owner.Name())
	check.Send(t, producer, check.Order{ID: 1})
	check.SendBatch(t, producer, make([]check.Order, 5), queue.Headers{"a": 1}, queue.Delay(time.Millisecond))
	_, err := producer.Read(ctx, 1)
	check.Forbidden(t, "read", err)

	consumer := check.Open[check.Order](t, check.Documented(t, owner.Name(), "Consumer"), owner.Name())
	msgs := check.Read(t, consumer, 4, queue.WaitFor(time.Second))
	check.OK(t, consumer.SetVT(ctx, time.Hour, msgs...))
	check.OK(t, consumer.Delete(ctx, msgs[0]))
	check.OK(t, consumer.Archive(ctx, msgs[1]))
	_, err = consumer.ArchiveID(ctx, msgs[2].ID)
	check.OK(t, err)
	_, err = consumer.Pop(ctx, 1)
	check.OK(t, err)
	_, err = consumer.Send(ctx, check.Order{})
	check.Forbidden(t, "send", err)

	stranger := check.Open[check.Order](t, check.Role(t, "stranger"), owner.Name())
	_, err = stranger.Send(ctx, check.Order{})
	check.Forbidden(t, "send", err)
	_, err = stranger.Read(ctx, 1)
	check.Forbidden(t, "read", err)
}

func TestAConsumerNeedsOneMoreGrantForItsDeadLetters(t *testing.T) {
	check.Parallel(t)
	source := pgtest.Queue[int](t)
	dead := pgtest.Named[int](t, source.Name()+"_dead")
	check.SendBatch(t, source, []int{1, 2})
	p := check.Receipts(t, source.Name())
	consumer := check.Documented(t, source.Name(), "Consumer")
	deadly := check.Documented(t, source.Name(), "Consumer", "Dead letters")

	letter := db.DeadLetterParams{
		Source: source.Name(), Target: pgtype.Text{String: dead.Name(), Valid: true},
		MsgIDs: p.MsgIDs[:1], ReadCts: p.ReadCts[:1], LastReadAts: p.LastReadAts[:1], Notes: p.Notes[:1],
	}
	_, err := db.New().DeadLetter(t.Context(), consumer, letter)
	check.Forbidden(t, "send dead letters", err)
	moved, err := db.New().DeadLetter(t.Context(), deadly, letter)
	check.OK(t, err)
	check.Equal(t, "dead letters", len(moved), 1)
	_, err = deadly.Exec(t.Context(), check.Tables(dead.Name(), `SELECT msg_id FROM {Q}`))
	check.Forbidden(t, "read the dead letters", err)

	// The archive is in reach of both.
	letter.Target = pgtype.Text{}
	letter.MsgIDs, letter.ReadCts, letter.LastReadAts, letter.Notes = p.MsgIDs[1:], p.ReadCts[1:], p.LastReadAts[1:], p.Notes[1:]
	moved, err = db.New().DeadLetter(t.Context(), consumer, letter)
	check.OK(t, err)
	check.Equal(t, "archived", len(moved), 1)

	// Back again.
	redriver := check.Documented(t, dead.Name(), "Consumer")
	back := db.RedriveParams{Source: dead.Name(), Target: source.Name(), N: 10}
	_, err = db.New().Redrive(t.Context(), redriver, back)
	check.Forbidden(t, "redrive", err)
	var user string
	check.OK(t, redriver.QueryRow(t.Context(), `SELECT current_user`).Scan(&user))
	check.Exec(t, pgtest.Pool(), check.Tables(source.Name(), `GRANT INSERT (vt, message, headers) ON {Q} TO `+user))
	redriven, err := db.New().Redrive(t.Context(), redriver, back)
	check.OK(t, err)
	check.Equal(t, "redriven", len(redriven), 1)
}

// Our functions call their own, with any function of the same name on the caller's path.
func TestNoFunctionDependsOnTheSearchPath(t *testing.T) {
	check.Parallel(t)
	check.Same(t, "plpgsql functions without a path of their own", check.Values[string](t, pgtest.Pool(), `
		SELECT p.oid::regprocedure::text
		FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
		WHERE p.pronamespace = 'pgmq'::regnamespace AND l.lanname = 'plpgsql' AND p.prokind = 'f'
			AND p.proname <> 'format_table_name' -- it qualifies all it calls: every call of a function pays for its path
			AND NOT coalesce(p.proconfig, '{}') && '{"search_path=pg_catalog, pg_temp"}'`), nil)
}

func TestNoFunctionLendsItsOwnersRights(t *testing.T) {
	check.Parallel(t)
	check.Same(t, "security definers", check.Values[string](t, pgtest.Pool(), `
		SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace AND prosecdef`), nil)
}

// Some say to revoke this right from PUBLIC for all functions to come.
func TestTheDocumentedGrantsAreEnoughWherePublicMayNotExecute(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t)
	check.Exec(t, pool, `ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`)
	pgtest.Migrate(t, pool)
	check.OwnQueue[int](t, pool, "q")

	producer := check.DocumentedOn(t, pool, "q", "Producer")
	check.Send(t, check.Open[int](t, producer, "q"), 1)
	check.Exec(t, producer, `SELECT pgmq.send('q', '2'), pgmq.send_batch('q', '{3, 4}'), pgmq.send('q', '5', 0)`)
	consumer := check.DocumentedOn(t, pool, "q", "Consumer")
	q := check.Open[int](t, consumer, "q")
	check.OK(t, q.Delete(t.Context(), check.Read(t, q, 1)...))
	check.OK(t, q.Archive(t.Context(), check.Read(t, q, 1)...))
	check.Exec(t, consumer, `SELECT * FROM pgmq.read('q', 30, 1)`)
	check.Exec(t, consumer, `SELECT * FROM pgmq.read_grouped_head_with_poll('q', 0, 1)`)
	check.Exec(t, consumer, `SELECT * FROM pgmq.pop('q')`)
	check.Exec(t, check.DocumentedOn(t, pool, "q", "Monitor"), `SELECT pgmq.metrics('q')`)
	check.Exec(t, check.DocumentedOn(t, pool, "q", "Owner"), `SELECT pgmq.create('p'), pgmq.create_partitioned('r'), pgmq.bind_topic('a', 'p'), pgmq.drop_queue('p')`)
}

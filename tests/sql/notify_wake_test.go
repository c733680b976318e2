package sql

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// slowCommits has every transaction that sends to a queue commit some time
// after it decided whether to notify.
func slowCommits(t testing.TB, name, seconds string) {
	t.Helper()
	check.Exec(t, pgtest.Pool(), check.Tables(name, strings.ReplaceAll(`
		CREATE FUNCTION public."slow @"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(`+seconds+`); RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER z_slow AFTER INSERT ON {Q} DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION public."slow @"()`, "@", name)))
	t.Cleanup(func() {
		_, _ = pgtest.Pool().Exec(context.Background(), strings.ReplaceAll(check.Tables(name, `DROP TRIGGER z_slow ON {Q}; DROP FUNCTION public."slow @"()`), "@", name))
	})
}

// readAll reads n at a time until there is less than that, as a listener does
// when it was woken, and returns how many messages there were.
func readAll(t testing.TB, db check.Querier, name, read string, n int) int {
	t.Helper()
	total := 0
	for {
		got := check.Value[int](t, db, `SELECT count(*)::int FROM pgmq.`+read, name, n)
		total += got
		if got < n {
			return total
		}
	}
}

func TestAListenerHearsOfTheLastMessageOfEveryBurst(t *testing.T) {
	check.Long(t)
	for _, burst := range []struct {
		what, read, slow      string
		rounds, senders, each int
	}{
		{"long bursts", `read($1, 3600, $2)`, "", 3, 4, 50},
		{"long bursts, slow commits", `read($1, 3600, $2)`, "0.001 * random()", 2, 4, 50},
		{"short bursts", `read($1, 3600, $2)`, "", 200, 4, 1},
		{"short bursts, slow commits", `read($1, 3600, $2)`, "0.002 * random()", 120, 4, 1},
		{"short bursts, very slow commits", `read($1, 3600, $2)`, "0.03 * random()", 20, 4, 1},
		{"pop", `pop($1, $2)`, "0.002 * random()", 50, 4, 1},
		{"read_grouped_head", `read_grouped_head($1, 3600, $2)`, "0.002 * random()", 50, 4, 1},
	} {
		t.Run(burst.what, func(t *testing.T) {
			// An interval that hides nothing: a listener that was not told once is never told.
			name := notifying(t, hour)
			if burst.slow != "" {
				slowCommits(t, name, burst.slow)
			}
			l, conn := listen(t, name), check.Connection(t, pgtest.Pool())
			senders := make([]*pgx.Conn, burst.senders)
			for i := range senders {
				senders[i] = check.Connection(t, pgtest.Pool())
			}
			woken := 0
			for round := range burst.rounds {
				var wg sync.WaitGroup
				for _, sender := range senders {
					wg.Go(func() {
						for range burst.each {
							if _, err := sender.Exec(t.Context(), `SELECT pgmq.send($1, '1', jsonb_build_object('x-pgmq-group', gen_random_uuid()))`, name); err != nil {
								t.Error(err)
							}
						}
					})
				}
				for total := readAll(t, conn, name, burst.read, 10); total < burst.senders*burst.each; woken++ {
					if !wakes(t, l) {
						t.Fatalf("round %d: nobody told of message %d", round, total+1)
					}
					total += readAll(t, conn, name, burst.read, 10)
				}
				wg.Wait()
			}
			t.Logf("woken %d times for %d messages", woken, burst.rounds*burst.senders*burst.each)
		})
	}
}

// wakes waits for a notification; false when there is none.
func wakes(t testing.TB, l check.InsertListener) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), check.Patience)
	defer cancel()
	_, err := l.WaitForNotification(ctx)
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return err == nil
}

// gated is a gate that connections wait at, and that the test opens.
type gated struct{ *pgx.Conn }

func gate(t testing.TB, pool *pgxpool.Pool, name string) gated {
	t.Helper()
	g := gated{check.Connection(t, pool)}
	g.shut(t, name)
	return g
}

func (g gated) shut(t testing.TB, name string) {
	check.Exec(t, g, `SELECT pg_advisory_lock(hashtext('q_' || $1))`, name)
}

func (g gated) open(t testing.TB) {
	check.Exec(t, g, `SELECT pg_advisory_unlock_all()`)
}

// until sends a message, and returns when the sender waits at the gate.
func (g gated) until(t testing.TB, sender *pgx.Conn, name string) <-chan error {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := sender.Exec(context.WithoutCancel(t.Context()), `SELECT pgmq.send($1, '1')`, name)
		sent <- err
	}()
	check.Eventually(t, "it waits", func() bool {
		return check.Value[bool](t, g, `SELECT wait_event_type = 'Lock' IS TRUE FROM pg_stat_activity WHERE pid = $1`, sender.PgConn().PID())
	})
	return sent
}

func TestAListenerHearsOfASenderThatKeptQuietAndCommitsLate(t *testing.T) {
	check.Parallel(t)
	pool, name := pgtest.Pool(), notifying(t, hour)
	l, sender, reader := listen(t, name), check.Connection(t, pool), check.Connection(t, pool)
	slowCommits(t, name, `0) FROM pg_advisory_xact_lock_shared(hashtext(TG_TABLE_NAME)`)
	g := gate(t, pool, name)
	g.open(t)

	for round := range 10 {
		sendSQL(t, pool, name)
		l.Heard(t)
		// The next sender does not notify, as no reader has found too few messages since, and it
		// cannot commit yet.
		g.shut(t, name)
		sent := g.until(t, sender, name)
		// It commits after the reader's read, or during it.
		found := make(chan int, 1)
		if round%2 == 0 {
			found <- readSQL(t, reader, name, 9)
		} else {
			go func() {
				var n int
				if err := reader.QueryRow(context.WithoutCancel(t.Context()), `SELECT count(*) FROM pgmq.read($1, 3600, 9)`, name).Scan(&n); err != nil {
					t.Error(err)
				}
				found <- n
			}()
			check.Eventually(t, "the reader has looked", func() bool {
				return check.Value[bool](t, pool, `SELECT pg_sequence_last_value(pgmq._notifier($1)) = 1`, name)
			})
		}
		g.open(t)
		check.OK(t, check.Receive(t, sent))
		for total := check.Receive(t, found); total < 2; total += readSQL(t, reader, name, 9) {
			check.Equal(t, "whether the listener looks again", wakes(t, l), true)
		}
	}
}

func TestASenderThatIsAboutToKeepQuietSeesAReaderComeUpShort(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	check.Exec(t, pool, `SELECT pgmq.create('q'), pgmq.enable_notify_insert('q', $1)`, hour)
	l, sender := check.ListenTo(t, pool, "q"), check.Connection(t, pool)
	sendSQL(t, pool, "q")
	check.Equal(t, "notifications", l.Heard(t), 1)

	// The sender halts between its first look at the readers and the lock.
	check.Exec(t, pool, `
		ALTER FUNCTION pgmq._notify_lock_key RENAME TO _key;
		CREATE FUNCTION pgmq._notify_lock_key(queue_name text) RETURNS bigint LANGUAGE plpgsql AS $$
		BEGIN
			IF current_setting('application_name') = 'halts' THEN
				PERFORM pg_advisory_xact_lock_shared(hashtext('q_q'));
			END IF;
			RETURN pgmq._key($1);
		END $$`)
	check.Exec(t, sender, `SET application_name = 'halts'`)
	g := gate(t, pool, "q")
	sent := g.until(t, sender, "q")
	check.Equal(t, "messages", readSQL(t, pool, "q", 9), 1)
	g.open(t)
	check.OK(t, check.Receive(t, sent))
	check.Equal(t, "notifications", l.Heard(t), 1)
}

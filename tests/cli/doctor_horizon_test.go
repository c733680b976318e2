package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	examiner "github.com/pgmq-go/pgmq/internal/doctor"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/sabotage"
)

func TestDoctorFindsTransactionsThatKeepDeadRows(t *testing.T) {
	check.Long(t)
	server, pool := check.LocalServer(t, "max_prepared_transactions=5")
	pgtest.Migrate(t, pool)
	check.Exec(t, pool, `CREATE DATABASE other`)
	examine := doctor(t, server.URL)
	idle := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["application_name"] = "forgetful" })
	elsewhere := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.Database = "other" })
	begin := func(p *pgxpool.Pool, statement string) {
		tx, err := p.Begin(t.Context())
		check.OK(t, err)
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		_, err = tx.Exec(t.Context(), statement)
		check.OK(t, err)
	}
	begin(idle, `SELECT pg_current_xact_id()`)
	begin(elsewhere, `SELECT pg_current_xact_id()`)
	begin(elsewhere, `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1`) // of no concern here
	check.Exec(t, pool, `BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'it''s'`)

	found, code := examine()
	check.Equal(t, "the exit code", code, 0) // all that is young
	found.fine(t, "open_transaction", "prepared_transaction")
	// part is a part of the age of the youngest, as soon as there is one.
	part := func(n int) string {
		var youngest time.Duration
		check.Eventually(t, "a second has passed", func() bool {
			youngest = check.Value[time.Duration](t, pool, `SELECT clock_timestamp() - greatest(max(xact_start), (SELECT max(prepared) FROM pg_prepared_xacts))
				FROM pg_stat_activity WHERE state = 'idle in transaction'`)
			return youngest > time.Second
		})
		return (youngest / time.Duration(n)).String()
	}
	found, code = examine("--max-transaction", part(2))
	check.Equal(t, "the exit code", code, 0)
	f := found.has(t, "open_transaction", "warning", "", "forgetful", "idle in transaction")
	found.has(t, "open_transaction", "warning", "", `database "other"`)
	check.Equal(t, "transactions", len(found.of("open_transaction", "")), 2)
	prepared := found.has(t, "prepared_transaction", "warning", "", `"it's"`)
	check.Contains(t, prepared.Do, "COMMIT PREPARED 'it''s', or ROLLBACK PREPARED 'it''s'")
	found, code = examine("--max-transaction", part(20))
	check.Equal(t, "the exit code", code, 4)
	found.has(t, "open_transaction", "problem", "", "forgetful")
	found.has(t, "prepared_transaction", "problem", "")

	do, _, _ := strings.Cut(prepared.Do, ", or")
	check.Exec(t, pool, do)
	_, terminate, _ := strings.Cut(f.Do, "or SELECT")
	check.Exec(t, pool, "SELECT"+terminate)
	check.Eventually(t, "the advice helped", func() bool {
		found, _ = examine("--max-transaction", "100ms")
		return len(found.of("open_transaction", "")) == 1
	})
	found.fine(t, "prepared_transaction")
	found, _ = examine("--max-transaction", "1ns")
	check.Equal(t, "transactions other than its own", len(found.of("open_transaction", "")), 1)
}

// burn uses up so many transactions that an xmin from before is far behind.
const burn = `DO $$ BEGIN FOR i IN 1..100000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`

func TestDoctorFindsStandbysAndSlotsThatKeepDeadRows(t *testing.T) {
	check.Slow(t)
	server, pool := check.LocalServer(t, "wal_level=logical", "fsync=off", "synchronous_commit=off")
	pgtest.Migrate(t, pool)
	examine := doctor(t, server.URL)
	check.Exec(t, pool, `SELECT pg_create_physical_replication_slot('s1')`)
	const feedback, often = "hot_standby_feedback=on", "wal_receiver_status_interval=1s"
	slotted, err := server.Standby(t.Context(), feedback, often, "primary_slot_name=s1")
	check.OK(t, err)
	t.Cleanup(func() { check.OK(t, slotted.Stop()) })
	slotless, err := server.Standby(t.Context(), feedback, often, "cluster_name=reports")
	check.OK(t, err)
	t.Cleanup(func() { check.OK(t, slotless.Stop()) })
	check.Eventually(t, "both have told what they need", func() bool {
		return check.Value[int](t, pool, `SELECT count(*)::int FROM pg_stat_replication WHERE backend_xmin IS NOT NULL`) == 1 &&
			check.Value[int](t, pool, `SELECT count(*)::int FROM pg_replication_slots WHERE xmin IS NOT NULL`) == 1
	})
	found, _ := examine()
	found.fine(t, "replication_slot", "standby_feedback", "open_transaction")
	check.Exec(t, pool, `CREATE ROLE nobody`)
	asNobody := check.Command(t)("doctor", "--json", "--database-url", server.URL)
	asNobody.Env = append(asNobody.Env, "PGOPTIONS=-c role=nobody")
	found, _ = examined(t, asNobody)
	found.fine(t, "open_transaction") // a standby has none, of which a role might not see the age

	found, code := doctor(t, slotted.URL)()
	found.has(t, "server", "warning", "", "is a standby")
	found.fine(t, "migrations", "tables", "messages")
	check.Equal(t, "the exit code on a standby", code, 0)

	for _, standby := range []string{slotted.URL, slotless.URL} {
		tx, err := check.PoolOf(t, standby, func(*pgxpool.Config) {}).Begin(t.Context())
		check.OK(t, err)
		t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
		_, err = tx.Exec(t.Context(), `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pgmq.meta`)
		check.OK(t, err)
	}
	check.Exec(t, pool, burn)
	check.Eventually(t, "they are found", func() bool {
		found, _ = examine()
		return len(found.worse("warning")) >= 3 // and synchronous_commit
	})
	found.has(t, "replication_slot", "warning", "", `"s1"`, "for a standby")
	found.has(t, "standby_feedback", "warning", "", `"reports"`)
	check.OK(t, slotted.Stop())
	check.Eventually(t, "the slot is found to be unused", func() bool {
		found, _ = examine()
		return len(found.worse("problem")) >= 2 // and fsync
	})
	f := found.has(t, "replication_slot", "problem", "", `"s1"`, "unused")
	_, drop, _ := strings.Cut(f.Do, "or SELECT")
	check.Exec(t, pool, "SELECT"+drop)
	found, _ = examine()
	found.fine(t, "replication_slot")

	check.Exec(t, pool, `SELECT pg_create_logical_replication_slot('s2', 'pgoutput')`)
	found, _ = examine()
	found.has(t, "replication_slot", "notice", "", `"s2"`, "system catalogs")
}

func TestDoctorComparesClocks(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for shift, says := range map[string]string{
		"+ interval '1 hour'": "1h0m0s behind the server's",
		"- interval '3 s'":    "3s ahead of the server's",
		"- interval '100 ms'": "agree",
	} {
		other := check.PoolLike(t, pool, func(c *pgxpool.Config) {
			sabotage.Use(c, func(sql string) string {
				if sql == "SELECT clock_timestamp()" {
					return sql + shift
				}
				return sql
			})
		})
		for _, f := range examiner.New(other, time.Minute).Server(t.Context()) {
			if f.Check == "clock" {
				check.Contains(t, f.What, says)
				check.Equal(t, "the level", f.Level == examiner.OK, says == "agree")
			}
		}
	}
}

package load

import (
	"regexp"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/tests/history"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/sabotage"
)

// replacing returns a rewriting of SQL, and how often it changed something.
func replacing(in, old, by string) (rewrite func(string) string, times *atomic.Int64) {
	where, what := regexp.MustCompile(in), regexp.MustCompile(old)
	times = &atomic.Int64{}
	return func(sql string) string {
		if !where.MatchString(sql) || !what.MatchString(sql) {
			return sql
		}
		times.Add(1)
		return what.ReplaceAllString(sql, by)
	}, times
}

const (
	at      = `\[width_bucket\(q\.msg_id, \$\d::bigint\[\]\)\]`
	receipt = `AND q\.read_ct = (\S+)` + at + `\s+AND q\.last_read_at = (\S+)` + at
	unasked = `AND $1 IS NOT NULL AND $2 IS NOT NULL`
)

// stale holds the findings that an ignored receipt may lead to; which comes first is chance.
var stale = []history.Rule{history.StaleReceipt, history.SettledAgain}

// Each of these clients has one fault, and the checker must find it.
func TestAClientWithoutOneMechanismIsCaught(t *testing.T) {
	check.Slow(t)
	turns := make(chan struct{}, 2) // they need the machine
	for what, sabotaged := range map[string]struct {
		in, old, by string         // in the statements that match in, old becomes by
		breaks      []history.Rule // one of them is enough
	}{
		"a send that stores nothing": {
			"name: Send :one", `INSERT INTO "pgmq"\."q_plain"`, `INSERT INTO "pgmq"."q_void"`, []history.Rule{history.LostSend},
		},
		"a send that stores two": {
			"name: Send :one", `(?s)VALUES (\(.*\n\s+\))\s+RETURNING`, `VALUES $1, $1 RETURNING`, []history.Rule{history.NeverSent},
		},
		"a claim without its lock": {
			// A moment between finding rows and claiming them, in which another reader takes the same.
			"name: Read ", "FOR UPDATE SKIP LOCKED", "OFFSET (SELECT 0 FROM pg_sleep(0.005))", []history.Rule{history.TwoLeases},
		},
		"a claim of what is hidden": {
			"name: Read ", `vt <= statement_timestamp\(\)`, "vt <= statement_timestamp() + interval '1500 milliseconds'", []history.Rule{history.TwoLeases},
		},
		"a lease that is not extended": {
			"name: SetVT ", `SET vt = statement_timestamp\(\) \+`, "SET vt = q.vt + 0 *", []history.Rule{history.TwoLeases},
		},
		"a delete without its receipt": {
			"name: Delete ", receipt, unasked, stale,
		},
		"an archiving without its receipt": {
			"name: Archive ", receipt, unasked, stale,
		},
		"another VT without its receipt": {
			"name: SetVT ", receipt, unasked, stale,
		},
		"a delete that deletes nothing": {
			"name: Delete ", `DELETE FROM (\S+) AS q`, `UPDATE $1 AS q SET vt = q.vt`, []history.Rule{history.SettledAgain},
		},
		"a retry that deletes": {
			"name: Postpone ", `(?s)UPDATE (\S+) AS q\s+SET.*?(\(\$\d::double precision\[\]\)).*?(\(\$\d::integer\[\]\)).*?WHERE`, `DELETE FROM $1 AS q WHERE $2 IS NOT NULL AND $3 IS NOT NULL AND`, []history.Rule{history.LostSend},
		},
		"a dead letter that goes elsewhere": {
			"name: DeadLetter ", `\$2::text`, `nullif($$2::text, $$2)`, []history.Rule{history.WrongDeaths},
		},
		"a delivery that counts as two": {
			`name: Read [^;]*"q_poison"`, `q\.read_ct \+ 1`, `q.read_ct + 2`, []history.Rule{history.WrongDeaths},
		},
		"an effect without its settling": {
			`name: Delete [^;]*"q_tx"`, `DELETE FROM (\S+) AS q`, `UPDATE $1 AS q SET vt = q.vt`, []history.Rule{history.Effects},
		},
		"groups without their order": {
			"read_grouped", `pgmq\.read_grouped\w*\(`, "pgmq.read(", []history.Rule{history.GroupOrder},
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			rewrite, times := replacing(sabotaged.in, sabotaged.old, sabotaged.by)
			var broken []history.Rule
			for seed := range uint64(12) { // it takes two that meet
				events := record(t, seed, 3*time.Second, func(c *pgxpool.Config) { sabotage.Use(c, rewrite) })
				report, err := history.Check(events)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range report.Violations {
					if slices.Contains(sabotaged.breaks, v.Rule) {
						t.Logf("%d violations, such as: %v", len(report.Violations), v)
						return
					}
				}
				broken = append(broken, report.Broken()...)
			}
			if times.Load() == 0 {
				t.Fatal("the statement to change was never sent: the test is out of date")
			}
			t.Errorf("it was not noticed that %q; it was that %q", sabotaged.breaks, broken)
		})
	}
}

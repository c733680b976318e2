package settings

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// A sample of the next two: the settings together, as far as they go together, each
// mode once, and each command. The migrations run under them, too, in both directions.
func TestEveryOperationWorksUnderOddSettings(t *testing.T) {
	check.Parallel(t)
	groups := together()
	for i, s := range groups {
		t.Logf("%s: %q", s.name, s.set)
		database := pgtest.Database(t)
		set(t, database, s.set)
		migrate := func(args ...string) string {
			return check.Output(t, check.Command(t)(append([]string{"migrate", "--database-url=" + check.DSN(database)}, args...)...))
		}
		check.Contains(t, migrate("up"), "applied 00001_adopt.sql")
		shadow(t, database)
		for at := i; at < len(modes); at += len(groups) {
			if s.works(modes[at]) {
				sweep(t, database, s, modes[at], slices.Concat(inGo, inSQL, share(byCommand, at, len(modes))))
			}
		}
		if i == 0 {
			check.Contains(t, migrate("down", "--all"), "removed")
		}
	}
}

func TestEveryOperationWorksUnderEachSettingInEachMode(t *testing.T) {
	check.Slow(t)
	database := check.OwnDatabase(t)
	shadow(t, database)
	for _, s := range odd {
		for _, mode := range modes {
			if s.works(mode) {
				sweep(t, database, s, mode, slices.Concat(inGo, inSQL))
			}
		}
	}
}

func TestEveryCommandWorksUnderEachSetting(t *testing.T) {
	check.Slow(t)
	database := check.OwnDatabase(t)
	shadow(t, database)
	for _, s := range odd {
		sweep(t, database, s, pgx.QueryExecModeCacheStatement, byCommand)
	}
}

// sweep runs operations under a setting, in a mode.
func sweep(t *testing.T, database *pgxpool.Pool, s setting, mode pgx.QueryExecMode, operations []operation) {
	t.Helper()
	set(t, database, s.set)
	t.Run(fmt.Sprintf("%s, %v", s.name, mode), func(t *testing.T) {
		pool := check.PoolLike(t, database, in(mode)) // whose connections are made now
		site{pool, check.DSN(database), check.Command(t)}.run(t, operations)
	})
}

// set sets nothing else for a database.
func set(t testing.TB, database *pgxpool.Pool, all []string) {
	t.Helper()
	alter := "ALTER DATABASE " + pgx.Identifier{database.Config().ConnConfig.Database}.Sanitize()
	check.Exec(t, database, alter+" RESET ALL")
	check.Exec(t, database, alter+" SET statement_timeout TO 300000")
	for _, one := range all {
		check.Exec(t, database, alter+" SET "+one)
	}
}

// shadow makes a schema with objects that could be taken for the server's or for ours. The
// server's own come first unless a search path says otherwise.
func shadow(t testing.TB, database *pgxpool.Pool) {
	t.Helper()
	check.Exec(t, database, `
		CREATE SCHEMA shadow;
		CREATE TABLE shadow.meta (queue_name text);
		CREATE TABLE shadow.pg_class (oid oid);
		CREATE TABLE shadow.template_queue ();
		CREATE FUNCTION shadow.lower(varchar) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
		CREATE FUNCTION shadow.format_table_name(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
		CREATE FUNCTION shadow.send(text, jsonb) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$`)
}

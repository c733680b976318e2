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

// A sample of the next test: each setting with one mode, each mode with several
// settings, and no command.
func TestEveryOperationWorksUnderEachSetting(t *testing.T) {
	check.Parallel(t)
	settings := slices.DeleteFunc(slices.Clone(odd), func(s setting) bool { return s.kind == costly })
	database := shadowed(t)
	for i, s := range settings {
		for !s.works(modes[i%len(modes)]) {
			i++
		}
		sweep(t, database, s, modes[i%len(modes)], slices.Concat(inGo, inSQL))
	}
}

func TestEveryOperationWorksUnderEachSettingInEachMode(t *testing.T) {
	check.Slow(t)
	database := shadowed(t)
	for _, s := range odd {
		for _, mode := range modes {
			if s.works(mode) {
				sweep(t, database, s, mode, everything())
			}
		}
	}
}

// What excludes nothing else is set at once, for the migrations, too: they run in
// both directions.
func TestEveryOperationWorksUnderOddSettingsTogether(t *testing.T) {
	check.Parallel(t)
	database := pgtest.Database(t)
	set(t, database, together.set)
	pgmq, url := check.Command(t), "--database-url="+check.DSN(database)
	check.Contains(t, check.Output(t, pgmq("migrate", "up", url)), "applied 00001_adopt.sql")
	check.Output(t, pgmq("api", "install", "legacy_names", url))
	shadow(t, database)
	for i, mode := range modes {
		if together.works(mode) {
			t.Run(mode.String(), func(t *testing.T) {
				under(t, database, mode).run(t, slices.Concat(inGo, inSQL, share(byCommand, i, len(modes)-1)))
			})
		}
	}
	check.Contains(t, check.Output(t, pgmq("migrate", "down", "--all", url)), "removed")
	check.Output(t, pgmq("migrate", "up", url))
}

// sweep runs operations under a setting, in a mode.
func sweep(t *testing.T, database *pgxpool.Pool, s setting, mode pgx.QueryExecMode, operations []operation) {
	t.Helper()
	set(t, database, s.set)
	t.Run(fmt.Sprintf("%s, %v", s.name, mode), func(t *testing.T) { under(t, database, mode).run(t, operations) })
}

// under is the site of a database, with connections that are made now.
func under(t testing.TB, database *pgxpool.Pool, mode pgx.QueryExecMode) site {
	t.Helper()
	return site{check.PoolLike(t, database, in(mode)), check.DSN(database), check.Command(t)}
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

// shadowed is a migrated database with a shadow.
func shadowed(t testing.TB) *pgxpool.Pool {
	t.Helper()
	database := check.OwnDatabase(t)
	shadow(t, database)
	return database
}

// shadow makes a schema with what could be taken for the server's or for ours. The
// server's own comes first unless a search path says otherwise.
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

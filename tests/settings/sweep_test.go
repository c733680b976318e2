package settings

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// TestEveryOperationWorksUnderEachSetting is a sample of the next test: each setting
// with one mode and a part of the commands, each mode with several settings.
func TestEveryOperationWorksUnderEachSetting(t *testing.T) {
	check.Parallel(t)
	sweep(t, func(i int) ([]pgx.QueryExecMode, []operation) {
		some := share(byCommand, i, 6)
		return modes[i%len(modes):][:1], append(append(some[:len(some):len(some)], inGo...), inSQL...)
	})
}

func TestEveryOperationWorksUnderEachSettingInEachMode(t *testing.T) {
	check.Slow(t)
	sweep(t, func(int) ([]pgx.QueryExecMode, []operation) { return modes, everything() })
}

// sweep runs operations under one setting after the other; which, and in which
// modes, is up to choose.
func sweep(t *testing.T, choose func(i int) ([]pgx.QueryExecMode, []operation)) {
	t.Helper()
	database := check.OwnDatabase(t)
	shadow(t, database)
	command := check.Command(t)
	name := pgx.Identifier{database.Config().ConnConfig.Database}.Sanitize()
	for i, s := range odd {
		for _, set := range s.set {
			check.Exec(t, database, "ALTER DATABASE "+name+" SET "+set)
		}
		modes, operations := choose(i)
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%s, %v", s.name, mode), func(t *testing.T) {
				pool := check.PoolLike(t, database, in(mode))
				site{pool, check.DSN(pool), command}.run(t, operations)
			})
		}
		check.Exec(t, database, "ALTER DATABASE "+name+" RESET ALL")
		check.Exec(t, database, "ALTER DATABASE "+name+" SET statement_timeout = 300000")
	}
}

// shadow makes a schema with what could be taken for the server's or for ours. The
// server's own comes first unless a search path says otherwise.
func shadow(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	check.Exec(t, pool, `
		CREATE SCHEMA shadow;
		CREATE TABLE shadow.meta (queue_name text);
		CREATE TABLE shadow.pg_class (oid oid);
		CREATE TABLE shadow.template_queue ();
		CREATE FUNCTION shadow.lower(varchar) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
		CREATE FUNCTION shadow.format_table_name(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
		CREATE FUNCTION shadow.send(text, jsonb) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$`)
}

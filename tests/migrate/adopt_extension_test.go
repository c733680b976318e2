package migrate

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestPGMQAsAnExtensionIsAdopted(t *testing.T) { //nolint:paralleltest // sets PATH
	check.Alone(t)
	bin, server := extensionServer(t)
	share := strings.TrimSpace(check.Run(t, check.Cmd(t, "pg_config", "--sharedir")))
	for i, version := range check.PGMQVersions {
		name := "pgmq--" + version + ".sql"
		if i > 0 {
			name = "pgmq--" + check.PGMQVersions[i-1] + "--" + version + ".sql"
		}
		// CREATE EXTENSION makes the schema.
		script := strings.Replace(check.Testdata(t, "pgmq_"+version+".sql"), "CREATE SCHEMA IF NOT EXISTS pgmq;", "", 1)
		check.OK(t, os.WriteFile(filepath.Join(share, "extension", name), []byte(script), 0o644)) //nolint:gosec // the server's user reads it
	}
	at := func(database string) string {
		u, err := url.Parse(server)
		check.OK(t, err)
		u.Path = "/" + database
		return u.String()
	}
	admin, err := pgxpool.New(t.Context(), server)
	check.OK(t, err)
	t.Cleanup(admin.Close)
	open := func(t *testing.T, name string) *pgxpool.Pool {
		t.Helper()
		check.Exec(t, admin, `CREATE DATABASE `+name)
		pool, err := pgxpool.New(t.Context(), at(name))
		check.OK(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	fresh := open(t, "fresh")
	pgtest.Migrate(t, fresh)
	const members = `
		SELECT count(*)::int FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pgmq'`

	for _, version := range []string{"1.4", "1.8", "1.13"} {
		t.Run(version, func(t *testing.T) {
			database := "pgmq_" + strings.ReplaceAll(version, ".", "_")
			pool := open(t, database)
			check.BringPGMQ(t, pool, version, func(v string) {
				if v == "1.4" {
					check.Exec(t, pool, `CREATE EXTENSION pgmq VERSION '1.4'`)
				} else {
					check.Exec(t, pool, `ALTER EXTENSION pgmq UPDATE TO '`+v+`'`)
				}
			})
			before := kept(t, pool)
			if n := check.Value[int](t, pool, members); n < 40 {
				t.Fatalf("only %d members, among them the queues of 1.4", n)
			}

			pgtest.Migrate(t, pool)
			keeps(t, pool, before)
			check.Same(t, "differences from a database that never saw PGMQ", differences(t, pool, fresh), nil)
			adoptedDependantsWork(t, pool)

			// Clients that ask for the extension find it, with the version it had.
			check.Exec(t, pool, `CREATE EXTENSION IF NOT EXISTS pgmq CASCADE`)
			check.Equal(t, "its version", check.Value[string](t, pool, `SELECT extversion FROM pg_extension WHERE extname = 'pgmq'`), version)
			check.Equal(t, "its members", check.Value[int](t, pool, members), 0)
			check.Equal(t, "tables it has dumped", check.Value[bool](t, pool, `SELECT coalesce(extconfig, '{}') = '{}' FROM pg_extension WHERE extname = 'pgmq'`), true)

			// It goes without taking anything along.
			before = kept(t, pool)
			check.Exec(t, pool, `DROP EXTENSION pgmq`)
			keeps(t, pool, before)
			check.Same(t, "differences", differences(t, pool, fresh), nil)
			adoptedQueuesWork(t, pool)

			// Then a dump is one of ordinary objects.
			dump := filepath.Join(t.TempDir(), "dump.sql")
			check.Run(t, check.Cmd(t, filepath.Join(bin, "pg_dump"), "-f", dump, at(database)))
			restored := open(t, "restored_"+database)
			check.Run(t, check.Cmd(t, filepath.Join(bin, "psql"), "-v", "ON_ERROR_STOP=1", "-q", "-f", dump, at("restored_"+database)))
			keeps(t, restored, kept(t, pool))
			results, err := provider(t, restored).Up(t.Context())
			check.OK(t, err)
			check.Equal(t, "migrations applied again", len(results), 0)
		})
	}
}

// A role that does not own the extension may not take it apart, and nothing changes.
func TestAdoptionByARoleThatDoesNotOwnPGMQIsRefused(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t)
	check.InstallPGMQ(t, pool, "1.8")
	before := check.Catalogue(t, pool)
	stranger := check.RoleOn(t, pool, "stranger", "GRANT ALL ON SCHEMA public", "GRANT CREATE ON DATABASE "+pool.Config().ConnConfig.Database)
	err := schema.Migrate(t.Context(), check.SQLDB(t, stranger))
	check.SQLState(t, err, check.InsufficientPrivilege)
	check.Exec(t, pool, `DROP TABLE `+schema.VersionTable)
	check.Same(t, "the catalogue", check.Catalogue(t, pool), before)
}

package tests

import (
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
)

func TestPGMQAsAnExtensionIsAdopted(t *testing.T) { //nolint:paralleltest // sets PATH
	bin, server := extensionServer(t)
	share := strings.TrimSpace(run(t, osexec.CommandContext(t.Context(), "pg_config", "--sharedir")))
	for i, version := range pgmqVersions {
		text, err := os.ReadFile("testdata/pgmq_" + version + ".sql")
		ok(t, err)
		name := "pgmq--" + version + ".sql"
		if i > 0 {
			name = "pgmq--" + pgmqVersions[i-1] + "--" + version + ".sql"
		}
		// CREATE EXTENSION makes the schema.
		script := strings.Replace(string(text), "CREATE SCHEMA IF NOT EXISTS pgmq;", "", 1)
		ok(t, os.WriteFile(filepath.Join(share, "extension", name), []byte(script), 0o644)) //nolint:gosec // the server's user reads it
	}
	at := func(database string) string {
		u, err := url.Parse(server)
		ok(t, err)
		u.Path = "/" + database
		return u.String()
	}
	admin, err := pgxpool.New(t.Context(), server)
	ok(t, err)
	t.Cleanup(admin.Close)
	open := func(t *testing.T, name string) *pgxpool.Pool {
		t.Helper()
		exec(t, admin, `CREATE DATABASE `+name)
		pool, err := pgxpool.New(t.Context(), at(name))
		ok(t, err)
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
			bringPGMQ(t, pool, version, func(v string) {
				if v == "1.4" {
					exec(t, pool, `CREATE EXTENSION pgmq VERSION '1.4'`)
				} else {
					exec(t, pool, `ALTER EXTENSION pgmq UPDATE TO '`+v+`'`)
				}
			})
			before := kept(t, pool)
			if n := value[int](t, pool, members); n < 40 {
				t.Fatalf("only %d members, among them the queues of 1.4", n)
			}

			pgtest.Migrate(t, pool)
			keeps(t, pool, before)
			same(t, "differences from a database that never saw PGMQ", differences(t, pool, fresh), nil)
			adoptedDependantsWork(t, pool)

			// Clients that ask for the extension find it, with the version it had.
			exec(t, pool, `CREATE EXTENSION IF NOT EXISTS pgmq CASCADE`)
			equal(t, "its version", value[string](t, pool, `SELECT extversion FROM pg_extension WHERE extname = 'pgmq'`), version)
			equal(t, "its members", value[int](t, pool, members), 0)
			equal(t, "tables it has dumped", value[bool](t, pool, `SELECT coalesce(extconfig, '{}') = '{}' FROM pg_extension WHERE extname = 'pgmq'`), true)

			// It goes without taking anything along.
			before = kept(t, pool)
			exec(t, pool, `DROP EXTENSION pgmq`)
			keeps(t, pool, before)
			same(t, "differences", differences(t, pool, fresh), nil)
			adoptedQueuesWork(t, pool)

			// Then a dump is one of ordinary objects.
			dump := filepath.Join(t.TempDir(), "dump.sql")
			run(t, osexec.CommandContext(t.Context(), filepath.Join(bin, "pg_dump"), "-f", dump, at(database)))
			restored := open(t, "restored_"+database)
			run(t, osexec.CommandContext(t.Context(), filepath.Join(bin, "psql"), "-v", "ON_ERROR_STOP=1", "-q", "-f", dump, at("restored_"+database)))
			keeps(t, restored, kept(t, pool))
			results, err := provider(t, restored).Up(t.Context())
			ok(t, err)
			equal(t, "migrations applied again", len(results), 0)
		})
	}
}

// Who does not own the extension may not take it apart, and nothing changes.
func TestAdoptionByARoleThatDoesNotOwnPGMQIsRefused(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t)
	installPGMQ(t, pool, "1.8")
	before := catalogue(t, pool)
	stranger := roleOn(t, pool, "stranger", "GRANT ALL ON SCHEMA public", "GRANT CREATE ON DATABASE "+pool.Config().ConnConfig.Database)
	err := schema.Migrate(t.Context(), sqlDB(t, stranger))
	sqlState(t, err, insufficientPrivilege)
	exec(t, pool, `DROP TABLE `+schema.VersionTable)
	same(t, "the catalogue", catalogue(t, pool), before)
}

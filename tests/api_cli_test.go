package tests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
)

func TestCommandInstallsAndRemovesOptionalAPIs(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), databaseWith(t)
	url := "--database-url=" + dsn(pool)

	contains(t, output(t, pgmq("api", "list", url)), "NAME", "legacy_names  no", "pgmq_public   no")
	for range 2 {
		equal(t, "what it says", output(t, pgmq("api", "install", "legacy_names", url)), "installed legacy_names\n")
	}
	contains(t, output(t, pgmq("api", "list", url)), "legacy_names  yes", "pgmq_public   no")
	exec(t, pool, `SELECT pgmq_create('my_queue')`)

	equal(t, "what it says", output(t, pgmq("api", "install", "pgmq_public", url)), "installed pgmq_public\n")
	equal(t, "what it says", output(t, pgmq("api", "remove", "legacy_names", url)), "removed legacy_names\n")
	contains(t, output(t, pgmq("api", "remove", "legacy_names", url)), "nothing to do")
	contains(t, output(t, pgmq("api", "list", url)), "legacy_names  no", "pgmq_public   yes")
	exec(t, pool, `SELECT * FROM pgmq_public.send('my_queue', '{}')`)
}

func TestCommandRefusesAnAPIInOneClearLine(t *testing.T) {
	t.Parallel()
	pgmq, pool := command(t), pgtest.Database(t)
	url := "--database-url=" + dsn(pool)
	failure(t, pgmq("api", "install", "nonsense", url), 2, "nonsense", "legacy_names", "pgmq_public", "--help")
	failure(t, pgmq("api", "remove", url), 2, "NAME", "--help")
	failure(t, pgmq("api", "nonsense", url), 2, "nonsense", "--help")
	failure(t, pgmq("api", "list"), 1, "no database")
	for _, o := range schema.Optionals() {
		failure(t, pgmq("api", "install", string(o), url), 1, "schema pgmq is not up to date", "pgmq migrate up")
		contains(t, output(t, pgmq("api", "remove", string(o), url)), "nothing to do")
	}

	pgtest.Migrate(t, pool)
	exec(t, pool, `CREATE FUNCTION public.pgmq_read(q text) RETURNS int LANGUAGE sql AS 'SELECT 1'`)
	failure(t, pgmq("api", "install", "legacy_names", url), 1, "pgmq: somebody else's function", "rename or drop public.pgmq_read(q text), then install again")
	contains(t, output(t, pgmq("api", "list", url)), "legacy_names  no")
}

func TestCommandExportsTheOptionalAPIsForPsql(t *testing.T) {
	t.Parallel()
	pgmq, pool, dir := command(t), pgtest.Database(t), t.TempDir()
	contains(t, output(t, pgmq("migrate", "export", dir)), "wrote "+filepath.Join(dir, "optional", "legacy_names.up.sql"))
	contains(t, output(t, pgmq("migrate", "export", dir)), "unchanged "+filepath.Join(dir, "optional", "pgmq_public.down.sql"))

	// goose does not look there.
	gooseOn(t, pool, dir, schema.VersionTable)("up")
	migrated := catalogue(t, pool)
	for _, o := range schema.Optionals() {
		there, err := schema.Installed(t.Context(), sqlDB(t, pool), o)
		ok(t, err)
		equal(t, "installed by goose", there, false)
	}

	apply := func(name string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, "optional", name))
		ok(t, err)
		exec(t, pool, string(text))
	}
	apply("legacy_names.up.sql")
	apply("pgmq_public.up.sql")
	exec(t, pool, `SELECT pgmq_create('my_queue'); SELECT pgmq_public.send('my_queue', '{}'); SELECT pgmq_drop_queue('my_queue')`)
	apply("legacy_names.down.sql")
	apply("pgmq_public.down.sql")
	same(t, "removed", catalogue(t, pool), migrated)
}

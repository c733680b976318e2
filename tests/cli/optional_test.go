package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestCommandInstallsAndRemovesOptionalAPIs(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), check.DatabaseWith(t)
	url := "--database-url=" + check.DSN(pool)

	check.Contains(t, check.Output(t, pgmq("api", "list", url)), "NAME", "legacy_names  no", "pgmq_public   no")
	for range 2 {
		check.Equal(t, "what it says", check.Output(t, pgmq("api", "install", "legacy_names", url)), "installed legacy_names\n")
	}
	check.Contains(t, check.Output(t, pgmq("api", "list", url)), "legacy_names  yes", "pgmq_public   no")
	check.Exec(t, pool, `SELECT pgmq_create('my_queue')`)

	check.Equal(t, "what it says", check.Output(t, pgmq("api", "install", "pgmq_public", url)), "installed pgmq_public\n")
	check.Equal(t, "what it says", check.Output(t, pgmq("api", "remove", "legacy_names", url)), "removed legacy_names\n")
	check.Contains(t, check.Output(t, pgmq("api", "remove", "legacy_names", url)), "nothing to do")
	check.Contains(t, check.Output(t, pgmq("api", "list", url)), "legacy_names  no", "pgmq_public   yes")
	check.Exec(t, pool, `SELECT * FROM pgmq_public.send('my_queue', '{}')`)
}

func TestCommandRefusesAnAPIInOneClearLine(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)
	check.Failure(t, pgmq("api", "install", "nonsense", url), 2, "nonsense", "legacy_names", "pgmq_public", "--help")
	check.Failure(t, pgmq("api", "remove", url), 2, "NAME", "--help")
	check.Failure(t, pgmq("api", "nonsense", url), 2, "nonsense", "--help")
	check.Failure(t, pgmq("api", "list"), 1, "no database")
	for _, o := range schema.Optionals() {
		check.Failure(t, pgmq("api", "install", string(o), url), 1, "schema pgmq is not up to date", "pgmq migrate up")
		check.Contains(t, check.Output(t, pgmq("api", "remove", string(o), url)), "nothing to do")
	}

	pgtest.Migrate(t, pool)
	check.Exec(t, pool, `CREATE FUNCTION public.pgmq_read(q text) RETURNS int LANGUAGE sql AS 'SELECT 1'`)
	check.Failure(t, pgmq("api", "install", "legacy_names", url), 1, "pgmq: somebody else's function", "rename or drop public.pgmq_read(q text), then install again")
	check.Contains(t, check.Output(t, pgmq("api", "list", url)), "legacy_names  no")
}

func TestCommandExportsTheOptionalAPIsForPsql(t *testing.T) {
	check.Slow(t)
	pgmq, pool, dir := check.Command(t), pgtest.Database(t), t.TempDir()
	check.Contains(t, check.Output(t, pgmq("migrate", "export", dir)), "wrote "+filepath.Join(dir, "optional", "legacy_names.up.sql"))
	check.Contains(t, check.Output(t, pgmq("migrate", "export", dir)), "unchanged "+filepath.Join(dir, "optional", "pgmq_public.down.sql"))

	// goose does not look there.
	check.GooseOn(t, pool, dir, schema.VersionTable)("up")
	migrated := check.Catalogue(t, pool)
	for _, o := range schema.Optionals() {
		there, err := schema.Installed(t.Context(), check.SQLDB(t, pool), o)
		check.OK(t, err)
		check.Equal(t, "installed by goose", there, false)
	}

	apply := func(name string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, "optional", name))
		check.OK(t, err)
		check.Exec(t, pool, string(text))
	}
	apply("legacy_names.up.sql")
	apply("pgmq_public.up.sql")
	check.Exec(t, pool, `SELECT pgmq_create('my_queue'); SELECT pgmq_public.send('my_queue', '{}'); SELECT pgmq_drop_queue('my_queue')`)
	apply("legacy_names.down.sql")
	apply("pgmq_public.down.sql")
	check.Same(t, "removed", check.Catalogue(t, pool), migrated)
}

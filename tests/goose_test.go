package tests

import (
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/schema"
)

// gooseCommand builds goose itself, with Postgres alone: the other drivers
// would take minutes.
func gooseCommand(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "goose")
	run(t, osexec.CommandContext(t.Context(), "go", "-C", "../tools", "build", "-o", binary,
		"-tags=no_clickhouse,no_mssql,no_azuresql,no_mysql,no_sqlite3,no_vertica,no_ydb,no_turso,no_libsql",
		"github.com/pressly/goose/v3/cmd/goose"))
	return binary
}

// run runs a command and returns what it printed.
func run(t testing.TB, cmd *osexec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// dsn is the pool's database for commands.
func dsn(pool *pgxpool.Pool) string {
	return pgtest.URL(pool.Config().ConnConfig.Database)
}

// gooseOn returns goose for a directory and a version table of a database.
func gooseOn(t testing.TB, pool *pgxpool.Pool, dir, table string) func(args ...string) string {
	t.Helper()
	cmd := gooseWith(t, gooseCommand(t), pool, dir, table)
	return func(args ...string) string {
		t.Helper()
		return run(t, cmd(args...))
	}
}

// gooseWith is gooseOn for a goose that was built, and to be run by the caller.
func gooseWith(t testing.TB, binary string, pool *pgxpool.Pool, dir, table string) func(args ...string) *osexec.Cmd {
	return func(args ...string) *osexec.Cmd {
		cmd := osexec.CommandContext(t.Context(), binary, args...)
		cmd.Env = append(os.Environ(), "GOOSE_DRIVER=postgres", "GOOSE_DBSTRING="+dsn(pool), "GOOSE_MIGRATION_DIR="+dir, "GOOSE_TABLE="+table)
		return cmd
	}
}

// exported writes the migrations as "pgmq migrate export" does.
func exported(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	ok(t, os.CopyFS(dir, schema.FS))
	return dir
}

func TestGooseItselfAppliesTheSameHistory(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), exported(t)
	files, err := fs.Glob(schema.FS, "*.sql")
	ok(t, err)

	byGoose, byMigrate := pgtest.Database(t), pgtest.Database(t)
	goose := gooseOn(t, byGoose, dir, schema.VersionTable)
	goose("validate")
	goose("up")
	pgtest.Migrate(t, byMigrate)
	same(t, "goose's catalogue", catalogue(t, byGoose), catalogue(t, byMigrate))

	// Ours finds that goose was here.
	pending, err := provider(t, byGoose).HasPending(ctx)
	ok(t, err)
	equal(t, "pending after goose", pending, false)
	ok(t, queue.Create(ctx, byGoose, "orders"))

	// And goose finds that we were.
	goose = gooseOn(t, byMigrate, dir, schema.VersionTable)
	status := goose("status")
	equal(t, "pending migrations by goose's status", strings.Count(status, "Pending"), 0)
	for _, file := range files {
		if !strings.Contains(status, file) {
			t.Fatalf("goose does not know %s:\n%s", file, status)
		}
	}
	goose("down-to", "0")
	equal(t, "schemas left", value[int](t, byMigrate, `SELECT count(*)::int FROM pg_namespace WHERE nspname = 'pgmq'`), 0)
}

func TestTheApplicationsOwnGooseHistoryIsUntouched(t *testing.T) {
	t.Parallel()
	pool, dir := pgtest.Database(t), t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "00001_app.sql"), []byte("-- +goose Up\nCREATE TABLE app (id int);\n-- +goose Down\nDROP TABLE app;\n"), 0o600))
	goose := gooseOn(t, pool, dir, "goose_db_version")
	goose("up")
	const history = `SELECT string_agg(version_id || ' ' || is_applied, ', ' ORDER BY id) FROM goose_db_version`
	before := value[string](t, pool, history)

	pgtest.Migrate(t, pool)
	equal(t, "the application's history", value[string](t, pool, history), before)
	goose("down")
	equal(t, "pgmq's tables", value[bool](t, pool, `SELECT to_regclass('pgmq.meta') IS NOT NULL`), true)
}

package migrate

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// exported writes the migrations as "pgmq migrate export" does.
func exported(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	check.OK(t, os.CopyFS(dir, schema.FS))
	return dir
}

func TestGooseItselfAppliesTheSameHistory(t *testing.T) {
	check.Slow(t)
	ctx, dir := t.Context(), exported(t)
	files, err := fs.Glob(schema.FS, "*.sql")
	check.OK(t, err)

	byGoose, byMigrate := pgtest.Database(t), pgtest.Database(t)
	goose := check.GooseOn(t, byGoose, dir, schema.VersionTable)
	goose("validate")
	goose("up")
	pgtest.Migrate(t, byMigrate)
	check.Same(t, "goose's catalogue", check.Catalogue(t, byGoose), check.Catalogue(t, byMigrate))

	// Our command finds goose's entries.
	pending, err := provider(t, byGoose).HasPending(ctx)
	check.OK(t, err)
	check.Equal(t, "pending after goose", pending, false)
	check.OK(t, admin.Create(ctx, byGoose, "orders"))

	// And goose finds ours.
	goose = check.GooseOn(t, byMigrate, dir, schema.VersionTable)
	status := goose("status")
	check.Equal(t, "pending migrations by goose's status", strings.Count(status, "Pending"), 0)
	for _, file := range files {
		if !strings.Contains(status, file) {
			t.Fatalf("goose does not know %s:\n%s", file, status)
		}
	}
	goose("down-to", "0")
	check.Equal(t, "schemas left", check.Value[int](t, byMigrate, `SELECT count(*)::int FROM pg_namespace WHERE nspname = 'pgmq'`), 0)
}

func TestTheApplicationsOwnGooseHistoryIsUntouched(t *testing.T) {
	check.Slow(t)
	pool, dir := pgtest.Database(t), t.TempDir()
	check.OK(t, os.WriteFile(filepath.Join(dir, "00001_app.sql"), []byte("-- +goose Up\nCREATE TABLE app (id int);\n-- +goose Down\nDROP TABLE app;\n"), 0o600))
	goose := check.GooseOn(t, pool, dir, "goose_db_version")
	goose("up")
	const history = `SELECT string_agg(version_id || ' ' || is_applied, ', ' ORDER BY id) FROM goose_db_version`
	before := check.Value[string](t, pool, history)

	pgtest.Migrate(t, pool)
	check.Equal(t, "the application's history", check.Value[string](t, pool, history), before)
	goose("down")
	check.Equal(t, "pgmq's tables", check.Value[bool](t, pool, `SELECT to_regclass('pgmq.meta') IS NOT NULL`), true)
}

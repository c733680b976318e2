package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestExampleDeployTwiceChangesNothing(t *testing.T) {
	check.Slow(t)
	binaries := check.BuiltTools(t)
	bin := t.TempDir()
	check.OK(t, os.Symlink(binaries.Goose, filepath.Join(bin, "goose")))
	deploy := func(pool *pgxpool.Pool) *program {
		return startProgram(t, pool, "env", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "sh", check.Root("examples/deploy/deploy.sh"))
	}
	check.Equal(t, "the queue's migration", check.File(t, check.Root("examples/deploy/migrations/00002_pgmq_newsletters.sql")),
		check.Output(t, binaries.Pgmq("queue", "migration", "newsletters")))

	pool := pgtest.Database(t)
	state := func() []string {
		t.Helper()
		return append(check.Catalogue(t, pool), check.Values[string](t, pool, `
			SELECT v::text FROM public.pgmq_schema_version AS v UNION ALL SELECT v::text FROM goose_db_version AS v
			UNION ALL SELECT q::text FROM pgmq.q_newsletters AS q UNION ALL SELECT m::text FROM pgmq.meta AS m ORDER BY 1`)...)
	}
	first := deploy(pool)
	first.says("waiting for newsletters")
	check.Exec(t, pool, `INSERT INTO subscribers VALUES ('ada@example.org')`)
	type newsletter struct {
		Subject string `json:"subject"`
	}
	newsletters := check.Open[newsletter](t, pool, "newsletters")
	check.Send(t, newsletters, newsletter{"hello"})
	first.says(`"hello" goes to 1 subscribers`)
	first.stop()
	check.Send(t, newsletters, newsletter{"tomorrow"}, queue.Delay(24*time.Hour))
	before := state()

	second := deploy(pool)
	second.says("waiting for newsletters")
	second.stop()
	check.Same(t, "the second deploy", state(), before)
	check.Equal(t, "histories with nothing to do", strings.Count(second.output(), "no migrations to run"), 2)

	// A program that cannot be migrated does not start.
	other := pgtest.Database(t)
	check.Exec(t, other, `CREATE TABLE subscribers (id int)`)
	failed := deploy(other)
	if failed.ends() == nil || strings.Contains(failed.output(), "waiting") {
		t.Fatal("the application was started without its tables")
	}
}

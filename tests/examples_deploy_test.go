package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func TestExampleDeployTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	binaries := builtTools(t)
	bin := t.TempDir()
	ok(t, os.Symlink(binaries.goose, filepath.Join(bin, "goose")))
	deploy := func(pool *pgxpool.Pool) *program {
		return startProgram(t, pool, "env", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "sh", "../examples/deploy/deploy.sh")
	}
	equal(t, "the queue's migration", text(t, "../examples/deploy/migrations/00002_pgmq_newsletters.sql"),
		output(t, binaries.pgmq("queue", "migration", "newsletters")))

	pool := pgtest.Database(t)
	state := func() []string {
		t.Helper()
		return append(catalogue(t, pool), values[string](t, pool, `
			SELECT v::text FROM public.pgmq_schema_version AS v UNION ALL SELECT v::text FROM goose_db_version AS v
			UNION ALL SELECT q::text FROM pgmq.q_newsletters AS q UNION ALL SELECT m::text FROM pgmq.meta AS m ORDER BY 1`)...)
	}
	first := deploy(pool)
	first.says("waiting for newsletters")
	exec(t, pool, `INSERT INTO subscribers VALUES ('ada@example.org')`)
	type newsletter struct {
		Subject string `json:"subject"`
	}
	newsletters := open[newsletter](t, pool, "newsletters")
	send(t, newsletters, newsletter{"hello"})
	first.says(`"hello" goes to 1 subscribers`)
	first.stop()
	send(t, newsletters, newsletter{"tomorrow"}, queue.Delay(24*time.Hour))
	before := state()

	second := deploy(pool)
	second.says("waiting for newsletters")
	second.stop()
	same(t, "the second deploy", state(), before)
	equal(t, "histories with nothing to do", strings.Count(second.output(), "no migrations to run"), 2)

	// What cannot be migrated is not started.
	other := pgtest.Database(t)
	exec(t, other, `CREATE TABLE subscribers (id int)`)
	failed := deploy(other)
	if failed.ends() == nil || strings.Contains(failed.output(), "waiting") {
		t.Fatal("the application was started without its tables")
	}
}

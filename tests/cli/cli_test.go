package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestCommandMigratesAndManagesQueues(t *testing.T) {
	check.Parallel(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)

	check.Contains(t, check.Output(t, pgmq("migrate", "status", url)), "00001_adopt.sql", "pending")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", url)), "applied 00001_adopt.sql", "schema pgmq is at version")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", url)), "nothing to do")
	if status := check.Output(t, pgmq("migrate", "status", url)); strings.Contains(status, "pending") {
		t.Fatal(status)
	}

	check.Contains(t, check.Output(t, pgmq("queue", "create", "Ünï 1", url)), `"Ünï 1"`)
	check.Contains(t, check.Output(t, pgmq("queue", "create", "fast", "--unlogged", url)), `"fast"`)
	check.Contains(t, check.Output(t, pgmq("queue", "list", url)), "Ünï 1  standard", "fast   unlogged")
	check.Contains(t, check.Output(t, pgmq("queue", "list", "--json", url)), `{"name":"fast","kind":"unlogged","created_at":"20`)
	check.Output(t, pgmq("queue", "create", "red\x1b[31m", url))
	check.Contains(t, check.Output(t, pgmq("queue", "list", url)), `red\u001b[31m`) // the terminal is told nothing
	check.Output(t, pgmq("queue", "drop", "red\x1b[31m", url))

	check.Send(t, check.Open[check.Order](t, pool, "fast"), check.Order{})
	check.Failure(t, pgmq("queue", "drop", "fast", url), 1, "1 message", "--yes")
	check.Failure(t, pgmq("migrate", "down", "--all", url), 1, "q_fast", "--drop-messages")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", url)), "applied") // the steps before the refusal
	check.Output(t, pgmq("queue", "drop", "fast", "--yes", url))
	check.Output(t, pgmq("queue", "drop", "Ünï 1", url))
	check.Failure(t, pgmq("queue", "drop", "Ünï 1", url), 1, "no such queue")
	check.Failure(t, pgmq("queue", "drop", "Ünï 1", "--yes", url), 1, "no such queue")

	env := pgmq("migrate", "down", "--all") // by DATABASE_URL this time
	env.Env = append(env.Env, "DATABASE_URL="+check.DSN(pool))
	check.Contains(t, check.Output(t, env), "removed")
	check.Failure(t, pgmq("queue", "create", "x", url), 1, "pgmq migrate up")
	check.Failure(t, pgmq("queue", "list", url), 1, "pgmq migrate up")
}

func TestCommandMaintainsPartitions(t *testing.T) {
	check.Long(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	url := "--database-url=" + check.DSN(pool)
	check.Failure(t, pgmq("maintain", url), 1, "pgmq migrate up")
	pgtest.Migrate(t, pool)
	check.Contains(t, check.Output(t, pgmq("maintain", url)), "nothing to do")
	check.Exec(t, pool, `SELECT pgmq.create_partitioned('parted', '100', '100')`)
	check.SendBatch(t, check.Open[check.Order](t, pool, "parted"), make([]check.Order, 1000))
	check.Contains(t, check.Output(t, pgmq("maintain", "PARTED", url)), "made q_parted$900, moved 100")
	check.Contains(t, check.Output(t, pgmq("maintain", url)), "nothing to do")
	check.Failure(t, pgmq("maintain", "a", "b", url), 2, "--help")

	// Somebody's own table stands where a partition should.
	check.SendBatch(t, check.Open[check.Order](t, pool, "parted"), make([]check.Order, 1000))
	check.Exec(t, pool, `CREATE TABLE pgmq."q_parted$2000" ()`)
	text, err := pgmq("maintain", url).CombinedOutput()
	if err == nil {
		t.Fatal("no exit code tells of it")
	}
	check.Contains(t, string(text), `relation "q_parted$2000" already exists`, "1 table(s) were left as they are", "made a_parted$2000")
}

func TestCommandExportsWhatGooseApplies(t *testing.T) {
	check.Slow(t)
	pgmq, pool := check.Command(t), pgtest.Database(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	check.Contains(t, check.Output(t, pgmq("migrate", "export", dir)), "wrote", schema.VersionTable)
	check.Contains(t, check.Output(t, pgmq("migrate", "export", dir)), "unchanged")
	check.GooseOn(t, pool, dir, schema.VersionTable)("up")
	check.Contains(t, check.Output(t, pgmq("migrate", "up", "--database-url", check.DSN(pool))), "nothing to do")

	check.OK(t, os.WriteFile(filepath.Join(dir, "00001_adopt.sql"), []byte("-- edited"), 0o600))
	check.Failure(t, pgmq("migrate", "export", dir), 1, "00001_adopt.sql", "move it away")
}

func TestCommandFailsInOneClearLine(t *testing.T) {
	check.Parallel(t)
	pgmq := check.Command(t)
	check.Failure(t, pgmq("migrate", "up"), 1, "no database", "--database-url", "DATABASE_URL")
	check.Failure(t, pgmq("migrate", "up", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer", "127.0.0.1:1", "refused")
	check.Failure(t, pgmq("queue", "list", "--database-url=postgres://u:s3cret@[127.0.0.1/x"), 1, "no database URL")
	check.Failure(t, pgmq("queue", "list", "--database-url=host=127.0.0.1 port=1 password='s3cret"), 1, "no database URL")
	check.Failure(t, pgmq("queue", "create", "a;b", "--database-url="+check.DSN(pgtest.Pool())), 1, "invalid queue name")
	check.Failure(t, pgmq("queue", "create"), 2, "NAME", "--help")
	check.Failure(t, pgmq("nonsense"), 2, "nonsense", "--help")
	check.Failure(t, pgmq("migrate", "sideways"), 2, "sideways", "--help")
	check.Failure(t, pgmq("migrate", "up", "--fast"), 2, "--fast", "--help")
}

// blast is a line that the first handler of the demo refuses.

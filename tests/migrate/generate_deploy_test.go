package migrate

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// From a declaration to messages: generate, deploy beside the application's own
// tables, produce and consume.
func TestDeclaredQueuesAreDeployedAndUsed(t *testing.T) {
	check.Slow(t)
	shop, pool := newShop(t, check.BuiltTools(t)), pgtest.Database(t)
	check.Output(t, shop.pgmq("generate"))
	url := "--database-url=" + check.DSN(pool)

	// The application's history goes in order, and stops where pgmq is missing.
	out, err := shop.goose(pool)("up").CombinedOutput()
	if err == nil {
		t.Fatal("the queues were made without schema pgmq")
	}
	check.Contains(t, string(out), `schema pgmq is not in this database yet: run "pgmq migrate up" first`)
	check.Failure(t, shop.pgmq("queue", "list", url), 1, "pgmq migrate up")
	check.Output(t, shop.pgmq("migrate", "up", url))
	check.Run(t, shop.goose(pool)("up"))
	check.Equal(t, "the application's version", check.Value[int](t, pool, `SELECT max(version_id)::int FROM goose_db_version`), 42)
	check.Equal(t, "the application's table", check.Value[bool](t, pool, `SELECT to_regclass('customers') IS NOT NULL`), true)
	check.Equal(t, "the check", check.Output(t, shop.pgmq("generate", "--check", url)), "all is as declared\n")

	check.WriteFiles(t, shop.dir, map[string]string{"cmd/shop/main.go": check.File(t, "testdata/generate/main.go.txt")})
	program := check.GoIn(t, shop.dir, "run", "./cmd/shop")
	program.Env = append(program.Env, "DATABASE_URL="+check.DSN(pool))
	said, err := program.Output() // beside a consumer's log
	check.OK(t, err)
	check.Equal(t, "what the program says", string(said), "delayed: true\ndead: 13 max reads\n")

	// Down refuses while there are messages, and leaves everything as it was.
	out, err = shop.goose(pool)("down").CombinedOutput()
	if err == nil {
		t.Fatal("messages were dropped")
	}
	check.Contains(t, string(out), "still holds messages: empty it, or set pgmq.drop_messages to on for this session")
	check.Equal(t, "the check after it", check.Output(t, shop.pgmq("generate", "--check", url)), "all is as declared\n")
	told := shop.goose(pool)("down")
	told.Env = append(told.Env, "PGOPTIONS=-c pgmq.drop_messages=on")
	check.Run(t, told)
	check.Same(t, "queues", check.QueueNames(t, pool), nil)
	check.Run(t, shop.goose(pool)("down"))
	check.Output(t, shop.pgmq("migrate", "down", "--all", url))
}

func TestCheckTellsWhatDriftedAndWhatMendsIt(t *testing.T) {
	check.Slow(t)
	tools := check.BuiltTools(t)
	drifted := func(t *testing.T, s *shop, args []string, want ...string) {
		t.Helper()
		before := shopFiles(t, s)
		checked := s.pgmq(append([]string{"generate", "--check"}, args...)...)
		out, _ := checked.CombinedOutput()
		check.Equal(t, "the exit code", checked.ProcessState.ExitCode(), 1)
		check.Equal(t, "the check", string(out), strings.Join(want, "\n")+"\n")
		check.Same(t, "files", shopFiles(t, s), before)
	}
	deployed := func(t *testing.T) (*shop, *pgxpool.Pool, []string) {
		t.Helper()
		s, pool := newShop(t, tools), check.OwnDatabase(t)
		check.Output(t, s.pgmq("generate"))
		check.Run(t, s.goose(pool)("up"))
		return s, pool, []string{"--database-url=" + check.DSN(pool)}
	}

	t.Run("code", func(t *testing.T) {
		t.Parallel()
		s, _, url := deployed(t)
		code := check.File(t, s.dir, "internal/queues/queues.go")
		check.WriteFiles(t, s.dir, map[string]string{"internal/queues/queues.go": strings.Replace(code, "time.Minute", "time.Hour", 1)})
		drifted(t, s, url, "code  internal/queues/queues.go is not what the declaration makes",
			"pgmq: 1 difference(s) from pgmq.yaml: run pgmq generate")
		check.Equal(t, "generate", check.Output(t, s.pgmq("generate")), "wrote internal/queues/queues.go\n")
		check.Equal(t, "the code", check.File(t, s.dir, "internal/queues/queues.go"), code)
	})
	t.Run("migrations", func(t *testing.T) {
		t.Parallel()
		s, _, _ := deployed(t)
		check.OK(t, os.Remove(filepath.Join(s.dir, "migrations/00042_pgmq_queues.sql")))
		drifted(t, s, nil,
			`migrations  queue "clicks": new`, `migrations  queue "Mail-Out.1": new`, `migrations  queue "orders": new`,
			`migrations  queue "orders_dead": new`, `migrations  queue "raw": new`,
			"pgmq: 5 difference(s) from pgmq.yaml: run pgmq generate")
		check.WriteFiles(t, s.dir, map[string]string{"migrations/00043_x.sql": "-- pgmq:queue {\"name\":\"a\",\"color\":1}\n"})
		check.Failure(t, s.pgmq("generate", "--check"), 1, `migrations/00043_x.sql:1: the text after "-- pgmq:queue" was edited, or a newer pgmq wrote it`, "color")
	})
	t.Run("database", func(t *testing.T) {
		t.Parallel()
		s, pool, url := deployed(t)
		check.Exec(t, pool, `SELECT pgmq.disable_notify_insert('orders'), pgmq.drop_queue('raw'), pgmq.create('of somebody else')`)
		check.Exec(t, pool, `DROP TABLE pgmq.a_orders_dead`)
		drifted(t, s, url, `database  queue "orders": notify: none -> 250ms`, `database  queue "orders_dead": new`, `database  queue "raw": new`,
			"pgmq: 3 difference(s) from pgmq.yaml: run goose up on migrations, and what is commented out there by hand")
		check.Equal(t, "without a database", check.Output(t, s.pgmq("generate", "--check")), "all is as declared\n")

		check.Failure(t, s.pgmq("generate", "--check", "--database-url="+check.DSN(pgtest.Database(t))), 1, "pgmq migrate up")
		check.Failure(t, s.pgmq("generate", "--check", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer")
	})
}

// shopFiles lists the files of an application with their contents.
func shopFiles(t testing.TB, s *shop) []string {
	t.Helper()
	var all []string
	check.OK(t, filepath.WalkDir(s.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, path+"\n"+check.File(t, path))
		}
		return err
	}))
	return all
}

func TestMigrationsAreNumberedAsTheLastOneIs(t *testing.T) {
	check.Slow(t)
	pgmq := check.Command(t)
	for _, last := range []struct{ file, next string }{
		{"", "00001_pgmq_queues.sql"},
		{"7_first.sql", "8_pgmq_queues.sql"},
		{"009_first.sql", "010_pgmq_queues.sql"},
		{"00012_first.go", "00013_pgmq_queues.sql"},
		{"99991231235959_first.sql", "99991231235960_pgmq_queues.sql"},
		{"README.md", "00001_pgmq_queues.sql"},
	} {
		s := newShop(t, check.Tools{Pgmq: pgmq})
		check.OK(t, os.Remove(filepath.Join(s.dir, "migrations/00041_.sql")))
		if last.file != "" {
			check.WriteFiles(t, s.dir, map[string]string{"migrations/" + last.file: ""})
		}
		check.Contains(t, check.Output(t, s.pgmq("generate")), "wrote migrations/"+last.next+"\n")
	}
	s := newShop(t, check.Tools{Pgmq: pgmq})
	check.WriteFiles(t, s.dir, map[string]string{"migrations/20240102030405_first.sql": ""})
	check.Output(t, s.pgmq("generate"))
	before, now := s.migrations()[1], s.migrations()[2]
	if len(now) != len("20240102030405_pgmq_queues.sql") || now <= before || now >= "3" {
		t.Fatalf("%s follows %s", now, before)
	}
}

// Two branches that change different queues have a migration of the same number
// each; renumbered, they match the declaration together.
func TestTwoBranchesMerge(t *testing.T) {
	check.Slow(t)
	s := newShop(t, check.Tools{Pgmq: check.Command(t)})
	check.Output(t, s.pgmq("generate"))
	base := check.File(t, s.dir, "pgmq.yaml")
	s.edit("notify: 250ms", "notify: 1s")
	check.Contains(t, check.Output(t, s.pgmq("generate")), "wrote migrations/00043_pgmq_orders.sql")
	check.OK(t, os.Rename(filepath.Join(s.dir, "migrations/00043_pgmq_orders.sql"), filepath.Join(s.dir, "of_a_branch")))

	check.WriteFiles(t, s.dir, map[string]string{"pgmq.yaml": base})
	s.edit("keep: 30 days", "keep: 7 days")
	check.Contains(t, check.Output(t, s.pgmq("generate")), "wrote migrations/00043_pgmq_clicks.sql")
	s.edit("notify: 250ms", "notify: 1s")
	check.OK(t, os.Rename(filepath.Join(s.dir, "of_a_branch"), filepath.Join(s.dir, "migrations/00044_pgmq_orders.sql")))
	check.Equal(t, "what is left to generate", check.Output(t, s.pgmq("generate")), "nothing to do\n")
}

func TestTheSampleIsADeclarationThatWorks(t *testing.T) {
	check.Slow(t)
	s, pool := newShop(t, check.BuiltTools(t)), check.OwnDatabase(t)
	check.OK(t, os.Remove(filepath.Join(s.dir, "pgmq.yaml")))
	check.Contains(t, check.Output(t, s.pgmq("generate", "--init")), "wrote pgmq.yaml")

	// Also with all its commented-out settings, but for one that excludes another.
	sample := regexp.MustCompile(`(?m)^    # storage: .*`).ReplaceAllString(check.File(t, s.dir, "pgmq.yaml"), "")
	sample = regexp.MustCompile(`(?m)^    # ([a-z_]+: )`).ReplaceAllString(sample, "    $1")
	sample = strings.Replace(sample, "encoding/json.RawMessage", "time.Time", 1) // a package that the code imports anyway
	check.Output(t, s.pgmq("generate"))
	check.Run(t, s.goose(pool)("up"))
	check.WriteFiles(t, s.dir, map[string]string{"pgmq.yaml": sample})
	check.Contains(t, check.Output(t, s.pgmq("generate")), "wrote queues/queues.go", "wrote migrations/00043_pgmq_queues.sql")
	check.Run(t, check.GoIn(t, s.dir, "vet", "./queues"))
	check.Run(t, s.goose(pool)("up"))
}

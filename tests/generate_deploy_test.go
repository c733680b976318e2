package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// From a declaration to messages: generate, deploy beside the application's own
// tables, produce and consume.
func TestDeclaredQueuesAreDeployedAndUsed(t *testing.T) {
	t.Parallel()
	shop, pool := newShop(t, builtTools(t)), pgtest.Database(t)
	output(t, shop.pgmq("generate"))
	url := "--database-url=" + dsn(pool)

	// The application's history goes in order, and stops where pgmq is missing.
	out, err := shop.goose(pool)("up").CombinedOutput()
	if err == nil {
		t.Fatal("the queues were made without schema pgmq")
	}
	contains(t, string(out), `schema pgmq is not in this database yet: run "pgmq migrate up" first`)
	failure(t, shop.pgmq("queue", "list", url), 1, "pgmq migrate up")
	output(t, shop.pgmq("migrate", "up", url))
	run(t, shop.goose(pool)("up"))
	equal(t, "the application's version", value[int](t, pool, `SELECT max(version_id)::int FROM goose_db_version`), 42)
	equal(t, "the application's table", value[bool](t, pool, `SELECT to_regclass('customers') IS NOT NULL`), true)
	equal(t, "the check", output(t, shop.pgmq("generate", "--check", url)), "all is as declared\n")

	writeFiles(t, shop.dir, map[string]string{"cmd/shop/main.go": text(t, "testdata/generate/main.go.txt")})
	program := goIn(t, shop.dir, "run", "./cmd/shop")
	program.Env = append(program.Env, "DATABASE_URL="+dsn(pool))
	said, err := program.Output() // beside what a consumer logs
	ok(t, err)
	equal(t, "what the program says", string(said), "visible at once: 0\ndead: 13 max reads\n")

	// Down refuses while there are messages, and leaves everything as it was.
	out, err = shop.goose(pool)("down").CombinedOutput()
	if err == nil {
		t.Fatal("messages were dropped")
	}
	contains(t, string(out), "still holds messages: empty it, or set pgmq.drop_messages to on for this session")
	equal(t, "the check after it", output(t, shop.pgmq("generate", "--check", url)), "all is as declared\n")
	told := shop.goose(pool)("down")
	told.Env = append(told.Env, "PGOPTIONS=-c pgmq.drop_messages=on")
	run(t, told)
	same(t, "queues", queueNames(t, pool), nil)
	run(t, shop.goose(pool)("down"))
	output(t, shop.pgmq("migrate", "down", "--all", url))
}

func TestCheckTellsWhatDriftedAndWhatMendsIt(t *testing.T) {
	t.Parallel()
	tools := builtTools(t)
	drifted := func(t *testing.T, s *shop, args []string, want ...string) {
		t.Helper()
		before := shopFiles(t, s)
		check := s.pgmq(append([]string{"generate", "--check"}, args...)...)
		out, _ := check.CombinedOutput()
		equal(t, "the exit code", check.ProcessState.ExitCode(), 1)
		equal(t, "the check", string(out), strings.Join(want, "\n")+"\n")
		same(t, "files", shopFiles(t, s), before)
	}
	deployed := func(t *testing.T) (*shop, *pgxpool.Pool, []string) {
		t.Helper()
		s, pool := newShop(t, tools), pgtest.Database(t)
		pgtest.Migrate(t, pool)
		output(t, s.pgmq("generate"))
		run(t, s.goose(pool)("up"))
		return s, pool, []string{"--database-url=" + dsn(pool)}
	}

	t.Run("code", func(t *testing.T) {
		t.Parallel()
		s, _, url := deployed(t)
		code := text(t, s.dir, "internal/queues/queues.go")
		writeFiles(t, s.dir, map[string]string{"internal/queues/queues.go": strings.Replace(code, "time.Minute", "time.Hour", 1)})
		drifted(t, s, url, "code  internal/queues/queues.go is not what the declaration makes",
			"pgmq: 1 difference(s) from pgmq.yaml: run pgmq generate")
		equal(t, "generate", output(t, s.pgmq("generate")), "wrote internal/queues/queues.go\n")
		equal(t, "the code", text(t, s.dir, "internal/queues/queues.go"), code)
	})
	t.Run("migrations", func(t *testing.T) {
		t.Parallel()
		s, _, _ := deployed(t)
		ok(t, os.Remove(filepath.Join(s.dir, "migrations/00042_pgmq_queues.sql")))
		drifted(t, s, nil,
			`migrations  queue "clicks": new`, `migrations  queue "Mail-Out.1": new`, `migrations  queue "orders": new`,
			`migrations  queue "orders_dead": new`, `migrations  queue "raw": new`,
			"pgmq: 5 difference(s) from pgmq.yaml: run pgmq generate")
		writeFiles(t, s.dir, map[string]string{"migrations/00043_x.sql": "-- pgmq:queue {\"name\":\"a\",\"color\":1}\n"})
		failure(t, s.pgmq("generate", "--check"), 1, `migrations/00043_x.sql:1: the text after "-- pgmq:queue" was edited, or a newer pgmq wrote it`, "color")
	})
	t.Run("database", func(t *testing.T) {
		t.Parallel()
		s, pool, url := deployed(t)
		exec(t, pool, `SELECT pgmq.disable_notify_insert('orders'), pgmq.drop_queue('raw'), pgmq.create('of somebody else')`)
		exec(t, pool, `DROP TABLE pgmq.a_orders_dead`)
		drifted(t, s, url, `database  queue "orders": notify: none -> 250ms`, `database  queue "orders_dead": new`, `database  queue "raw": new`,
			"pgmq: 3 difference(s) from pgmq.yaml: run goose up on migrations, and what is commented out there by hand")
		equal(t, "without a database", output(t, s.pgmq("generate", "--check")), "all is as declared\n")

		failure(t, s.pgmq("generate", "--check", "--database-url="+dsn(pgtest.Database(t))), 1, "pgmq migrate up")
		failure(t, s.pgmq("generate", "--check", "--database-url=postgres://u:s3cret@127.0.0.1:1/x"), 1, "no answer")
	})
}

// shopFiles lists the files of an application with what is in them.
func shopFiles(t testing.TB, s *shop) []string {
	t.Helper()
	var all []string
	ok(t, filepath.WalkDir(s.dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, path+"\n"+text(t, path))
		}
		return err
	}))
	return all
}

func TestMigrationsAreNumberedAsTheLastOneIs(t *testing.T) {
	t.Parallel()
	pgmq := command(t)
	for _, last := range []struct{ file, next string }{
		{"", "00001_pgmq_queues.sql"},
		{"7_first.sql", "8_pgmq_queues.sql"},
		{"009_first.sql", "010_pgmq_queues.sql"},
		{"00012_first.go", "00013_pgmq_queues.sql"},
		{"99991231235959_first.sql", "99991231235960_pgmq_queues.sql"},
		{"README.md", "00001_pgmq_queues.sql"},
	} {
		s := newShop(t, tools{pgmq: pgmq})
		ok(t, os.Remove(filepath.Join(s.dir, "migrations/00041_.sql")))
		if last.file != "" {
			writeFiles(t, s.dir, map[string]string{"migrations/" + last.file: ""})
		}
		contains(t, output(t, s.pgmq("generate")), "wrote migrations/"+last.next+"\n")
	}
	s := newShop(t, tools{pgmq: pgmq})
	writeFiles(t, s.dir, map[string]string{"migrations/20240102030405_first.sql": ""})
	output(t, s.pgmq("generate"))
	before, now := s.migrations()[1], s.migrations()[2]
	if len(now) != len("20240102030405_pgmq_queues.sql") || now <= before || now >= "3" {
		t.Fatalf("%s follows %s", now, before)
	}
}

// Two branches that change different queues have a migration of the same number
// each; renumbered, they say together what is declared.
func TestTwoBranchesMerge(t *testing.T) {
	t.Parallel()
	s := newShop(t, tools{pgmq: command(t)})
	output(t, s.pgmq("generate"))
	base := text(t, s.dir, "pgmq.yaml")
	s.edit("notify: 250ms", "notify: 1s")
	contains(t, output(t, s.pgmq("generate")), "wrote migrations/00043_pgmq_orders.sql")
	ok(t, os.Rename(filepath.Join(s.dir, "migrations/00043_pgmq_orders.sql"), filepath.Join(s.dir, "of_a_branch")))

	writeFiles(t, s.dir, map[string]string{"pgmq.yaml": base})
	s.edit("keep: 30 days", "keep: 7 days")
	contains(t, output(t, s.pgmq("generate")), "wrote migrations/00043_pgmq_clicks.sql")
	s.edit("notify: 250ms", "notify: 1s")
	ok(t, os.Rename(filepath.Join(s.dir, "of_a_branch"), filepath.Join(s.dir, "migrations/00044_pgmq_orders.sql")))
	equal(t, "what is left to generate", output(t, s.pgmq("generate")), "nothing to do\n")
}

func TestTheSampleIsADeclarationThatWorks(t *testing.T) {
	t.Parallel()
	s, pool := newShop(t, builtTools(t)), pgtest.Database(t)
	pgtest.Migrate(t, pool)
	ok(t, os.Remove(filepath.Join(s.dir, "pgmq.yaml")))
	contains(t, output(t, s.pgmq("generate", "--init")), "wrote pgmq.yaml")

	// Also with all put in that it has commented out, but for what excludes another.
	sample := regexp.MustCompile(`(?m)^    # storage: .*`).ReplaceAllString(text(t, s.dir, "pgmq.yaml"), "")
	sample = regexp.MustCompile(`(?m)^    # ([a-z_]+: )`).ReplaceAllString(sample, "    $1")
	sample = strings.Replace(sample, "encoding/json.RawMessage", "time.Time", 1) // a package that the code imports anyway
	output(t, s.pgmq("generate"))
	run(t, s.goose(pool)("up"))
	writeFiles(t, s.dir, map[string]string{"pgmq.yaml": sample})
	contains(t, output(t, s.pgmq("generate")), "wrote queues/queues.go", "wrote migrations/00043_pgmq_queues.sql")
	run(t, goIn(t, s.dir, "vet", "./queues"))
	run(t, s.goose(pool)("up"))
}

package migrate

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

var update = flag.Bool("update", false, "write golden files anew")

// golden compares a text with a file in testdata.
func golden(t testing.TB, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		check.OK(t, os.WriteFile(file, []byte(got), 0o600))
	}
	if want := check.File(t, file); got != want {
		t.Fatalf("this is not as in %s; if that is meant, run the test with -update:\n%s", file, got)
	}
}

func TestGenerateWritesWhatIsDeclared(t *testing.T) {
	check.Slow(t)
	shop := newShop(t, check.Tools{Pgmq: check.Command(t)})
	check.Equal(t, "the output", check.Output(t, shop.pgmq("generate")), "wrote internal/queues/queues.go\nwrote migrations/00042_pgmq_queues.sql\n")
	golden(t, "generate/queues.go.txt", check.File(t, shop.dir, "internal/queues/queues.go"))
	golden(t, "generate/00042_pgmq_queues.sql", check.File(t, shop.dir, "migrations/00042_pgmq_queues.sql"))
	check.Run(t, check.GoIn(t, shop.dir, "vet", "./..."))

	before := shop.migrations()
	check.Equal(t, "the second time", check.Output(t, shop.pgmq("generate")), "nothing to do\n")
	check.Same(t, "migrations", shop.migrations(), before)
	check.Equal(t, "the check", check.Output(t, shop.pgmq("generate", "--check")), "all is as declared\n")

	// As well from elsewhere, and in another order.
	root := shop.pgmq("generate", "--file", filepath.Join(shop.dir, "pgmq.yaml"))
	root.Dir = filepath.Dir(shop.dir)
	check.Equal(t, "from elsewhere", check.Output(t, root), "nothing to do\n")
	shop.edit("  raw:\n    type: encoding/json.RawMessage\n", "")
	shop.edit("queues:\n", "queues:\n  raw:\n    type: encoding/json.RawMessage\n")
	check.Equal(t, "in another order", check.Output(t, shop.pgmq("generate")), "wrote internal/queues/queues.go\n")
}

// settingChange is a change of one setting.
type settingChange struct {
	from, to string // in the declaration
	file     string // that is written
	sql      string // on its way up
	says     string // --check
	risky    bool
}

// Each change of a setting, all the way to the database and back.
func TestEveryChangeIsOneMigrationThatDoesItAndTakesItBack(t *testing.T) {
	check.Slow(t)
	tools := check.BuiltTools(t)
	changes := []settingChange{
		{
			"notify: 250ms", "notify: 1s", "00043_pgmq_orders.sql",
			"SELECT pgmq.enable_notify_insert('orders', throttle_interval_ms => 1000);", `queue "orders": notify: 250ms -> 1s`, false,
		},
		{
			"    notify: 250ms\n", "", "00043_pgmq_orders.sql",
			"SELECT pgmq.disable_notify_insert('orders');", `queue "orders": notify: 250ms -> none`, false,
		},
		{
			"    archive_done: true\n", "    notify: 0s\n", "00043_pgmq_mail_out_1.sql",
			"SELECT pgmq.enable_notify_insert('Mail-Out.1', throttle_interval_ms => 0);", `queue "Mail-Out.1": notify: none -> 0s`, false,
		},
		{
			`["orders.*", "a.#"]`, `["a.#", "b"]`, "00043_pgmq_orders.sql",
			"SELECT pgmq.unbind_topic('orders.*', 'orders');\nSELECT pgmq.bind_topic('b', 'orders');", `queue "orders": topics: a.# orders.* -> a.# b`, false,
		},
		{
			"keep: 30 days", "keep: 7 days", "00043_pgmq_clicks.sql",
			"SELECT pgmq.set_partition_retention('clicks', '7 days', drop_unread => true);", `queue "clicks": partitions.keep: 30 days -> 7 days`, false,
		},
		{
			", drop_unread: true", "", "00043_pgmq_clicks.sql",
			"SELECT pgmq.set_partition_retention('clicks', '30 days', drop_unread => false);", `queue "clicks": partitions.drop_unread: true -> false`, false,
		},
		{
			"premake: 2", "premake: 3", "00043_pgmq_clicks.sql",
			"UPDATE pgmq.partitioned_tables SET premake = 3 WHERE", `queue "clicks": partitions.premake: 2 -> 3`, false,
		},
		{
			"storage: unlogged", "storage: logged", "00043_pgmq_mail_out_1.sql",
			"SET LOGGED", `queue "Mail-Out.1": storage: unlogged -> logged`, false,
		},
		{
			"queues:\n", "queues:\n  more:\n    type: string\n    storage: unlogged\n", "00043_pgmq_more.sql",
			"SELECT pgmq.create_unlogged('more');", `queue "more": new`, false,
		},
		{
			"dead_letters: orders_dead", "dead_letters: raw", "00043_pgmq_orders_dead.sql",
			"drop_queue", `queue "orders_dead": no longer declared`, true,
		},
		{
			"  raw:\n", "  raw:\n    storage: unlogged\n", "00043_pgmq_raw.sql",
			"SET UNLOGGED", `queue "raw": storage: logged -> unlogged`, true,
		},
		{
			"every: 1 day", "every: 1 week", "00043_pgmq_clicks.sql",
			"create_partitioned('clicks', '1 week'", `queue "clicks": partitions.every: 1 day -> 1 week`, true,
		},
	}
	// Go types are looked up each time: these are known.
	declaration := regexp.MustCompile(`(?m)type: .*`).ReplaceAllString(check.File(t, "testdata/generate/pgmq.yaml"), "type: string")
	for part := range slices.Chunk(changes, 4) {
		t.Run(part[0].says+" and more", func(t *testing.T) {
			t.Parallel()
			shop, pool := newShop(t, tools, declaration), check.OwnDatabase(t)
			check.Output(t, shop.pgmq("generate"))
			check.Run(t, shop.goose(pool)("up"))
			check.Equal(t, "the check at first", check.Output(t, shop.pgmq("generate", "--check", "--database-url", check.DSN(pool))), "all is as declared\n")
			for _, change := range part {
				t.Log(change.says)
				change.thereAndBack(t, shop, pool)
			}
		})
	}
}

// thereAndBack makes a change in a shop that is as declared, and takes it back.
func (c settingChange) thereAndBack(t *testing.T, shop *shop, pool *pgxpool.Pool) {
	t.Helper()
	goose := func(direction string) { check.Run(t, shop.goose(pool)(direction)) }
	checked := func() string {
		out, _ := shop.pgmq("generate", "--check", "--database-url", check.DSN(pool)).CombinedOutput()
		return string(out)
	}
	before, old := shop.migrations(), check.File(t, shop.dir, "pgmq.yaml")

	shop.edit(c.from, c.to)
	// A queue that is no longer declared is no difference in the database.
	gone := strings.HasSuffix(c.says, "no longer declared")
	differs := checked()
	check.Contains(t, differs, "migrations  "+c.says, "run pgmq generate")
	check.Equal(t, "the database differs", strings.Contains(differs, "database    "+c.says), !gone)
	out := check.Output(t, shop.pgmq("generate"))
	check.Contains(t, out, "wrote migrations/"+c.file)
	check.Equal(t, "what is commented out is said", strings.Contains(out, "commented out"), c.risky)
	after := append(slices.Clone(before), c.file)
	slices.Sort(after)
	check.Same(t, "migrations", shop.migrations(), after)
	sql := check.File(t, shop.dir, "migrations", c.file)
	check.Contains(t, sql, "--   "+c.says+"\n", c.sql)

	goose("up")
	if c.risky {
		if !gone {
			check.Contains(t, checked(), "database  "+c.says, "run goose up on migrations, and what is commented out there by hand")
		}
		goose("down")
		check.WriteFiles(t, shop.dir, map[string]string{"migrations/" + c.file: uncommented(sql)})
		goose("up")
	}
	check.Equal(t, "the check after up", checked(), "all is as declared\n")

	goose("down")
	check.WriteFiles(t, shop.dir, map[string]string{"pgmq.yaml": old})
	check.OK(t, os.Remove(filepath.Join(shop.dir, "migrations", c.file)))
	check.Output(t, shop.pgmq("generate"))
	check.Equal(t, "the check after down", checked(), "all is as declared\n")
}

// uncommented enables the commented-out parts of a migration: blocks of SQL that begin
// with a comment, behind the lines that explain them.
func uncommented(migration string) string {
	head, body, _ := strings.Cut(migration, "-- +goose Up\n")
	var b strings.Builder
	inside := false
	for line := range strings.Lines(body) {
		sql, commented := strings.CutPrefix(line, "-- ")
		switch {
		case !commented || strings.HasPrefix(sql, "+goose "):
			inside = false
			b.WriteString(line)
		case strings.HasPrefix(sql, "-- "):
			inside = true
			fallthrough
		case inside:
			b.WriteString(sql)
		default:
			b.WriteString(line)
		}
	}
	return head + "-- +goose Up\n" + b.String()
}

// Git on Windows writes CRLF when it checks files out.
func TestFilesWithCRLFAreCurrent(t *testing.T) {
	check.Parallel(t)
	shop := newShop(t, check.Tools{Pgmq: check.Command(t)})
	check.Output(t, shop.pgmq("generate"))
	check.Output(t, shop.pgmq("migrate", "export", "migrations/pgmq"))
	check.OK(t, filepath.WalkDir(shop.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "go.sum" {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(check.File(t, path), "\n", "\r\n")), 0o600)
	}))
	check.Equal(t, "the check", check.Output(t, shop.pgmq("generate", "--check")), "all is as declared\n")
	check.Equal(t, "once more", check.Output(t, shop.pgmq("generate")), "nothing to do\n")
	check.Contains(t, check.Output(t, shop.pgmq("migrate", "export", "migrations/pgmq")), "unchanged")
	shop.edit("keep: 30 days", "keep: 7 days")
	check.Contains(t, check.Output(t, shop.pgmq("generate")), "wrote migrations/00043_pgmq_clicks.sql")
}

package migrate

import (
	"io/fs"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/extension"
	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// extensionServer starts a server on which the extension is installed: Postgres
// finds its files beside its binaries, so a copy of them needs no rights.
func extensionServer(t *testing.T) (bin, url string) {
	t.Helper()
	config := func(what string) string {
		out, err := check.Cmd(t, "pg_config", what).Output()
		if err != nil {
			t.Fatalf("no pg_config in PATH, which comes with Postgres' binaries: %v", err)
		}
		return strings.TrimSpace(string(out))
	}
	if dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin"); len(dirs) > 0 { // where Debian hides it
		t.Setenv("PATH", dirs[len(dirs)-1]+":"+os.Getenv("PATH"))
	}
	from := map[string]string{"bin": config("--bindir"), "share": config("--sharedir"), "lib": config("--pkglibdir")}
	root, err := os.MkdirTemp("", "pgmq-extension-") // not t.TempDir: the server's user must get in
	check.OK(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	check.OK(t, os.Chmod(root, 0o755)) //nolint:gosec // see above

	bin = filepath.Join(root, from["bin"])
	copyFiles(t, from["bin"], bin)
	share, lib := filepath.Join(root, from["share"]), filepath.Join(root, from["lib"])
	check.OK(t, os.MkdirAll(filepath.Dir(lib), 0o755)) //nolint:gosec // see above
	check.OK(t, os.Symlink(from["lib"], lib))
	check.OK(t, os.MkdirAll(share, 0o755)) //nolint:gosec // see above
	entries, err := os.ReadDir(from["share"])
	check.OK(t, err)
	for _, entry := range entries {
		if entry.Name() != "extension" {
			check.OK(t, os.Symlink(filepath.Join(from["share"], entry.Name()), filepath.Join(share, entry.Name())))
		}
	}
	copyFiles(t, filepath.Join(from["share"], "extension"), filepath.Join(share, "extension"))
	_, err = extension.Write(filepath.Join(share, "extension"))
	check.OK(t, err)

	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	server, err := postgres.Local(t.Context(), "fsync=off")
	check.OK(t, err)
	t.Cleanup(func() { check.OK(t, server.Stop()) })
	check.Contains(t, server.Origin, root)
	return bin, server.URL
}

func copyFiles(t testing.TB, from, to string) {
	t.Helper()
	check.OK(t, os.MkdirAll(to, 0o755)) //nolint:gosec // for the server's user
	check.OK(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, entry.Name()), content, info.Mode())
	}))
}

func TestTheExtension(t *testing.T) { //nolint:paralleltest // sets PATH
	check.Alone(t)
	bin, server := extensionServer(t)
	at := func(database string) string {
		u, err := url.Parse(server)
		check.OK(t, err)
		u.Path = "/" + database
		return u.String()
	}
	database := func(t *testing.T, name string) *pgxpool.Pool {
		t.Helper()
		adminConn, err := pgxpool.New(t.Context(), server)
		check.OK(t, err)
		defer adminConn.Close()
		check.Exec(t, adminConn, `CREATE DATABASE `+name)
		pool, err := pgxpool.New(t.Context(), at(name))
		check.OK(t, err)
		t.Cleanup(pool.Close)
		return pool
	}

	t.Run("has the whole API, and goes without the queues", func(t *testing.T) {
		pool := database(t, "whole")
		check.Exec(t, pool, `CREATE EXTENSION pgmq`)
		doctor := func() string {
			out, _ := check.Command(t)("doctor", "--database-url", at("whole")).CombinedOutput() // fsync is off, which is a problem
			return string(out)
		}
		check.Contains(t, doctor(), "ok         migrations: schema pgmq was made by CREATE EXTENSION pgmq, version 1.13.1.", "0 queue(s)", "\n1 problem, ")
		there := check.Values[string](t, pool, check.API)
		for _, line := range append(check.Lines(t, "pgmq-1.13.1.txt"), check.Lines(t, "additions.txt")...) {
			if !strings.Contains("\n"+strings.Join(there, "\n")+"\n", "\n"+line+"\n") {
				t.Errorf("the extension lacks %s", line)
			}
		}
		for _, create := range []string{`pgmq.create('plain')`, `pgmq.create_unlogged('fast')`, `pgmq.create_partitioned('parted', '10', '10')`} {
			check.Exec(t, pool, `SELECT `+create)
		}
		check.Exec(t, pool, `SELECT pgmq.send(q, '1') FROM unnest('{plain,plain,fast,parted}'::text[]) AS q`)
		check.Exec(t, pool, `SELECT pgmq.archive('plain', 1)`)

		check.Exec(t, pool, `DROP EXTENSION pgmq`)
		check.Equal(t, "messages", check.Value[int](t, pool, `SELECT ((SELECT count(*) FROM pgmq.q_plain) + (SELECT count(*) FROM pgmq.a_plain) + (SELECT count(*) FROM pgmq.q_fast) + (SELECT count(*) FROM pgmq.q_parted))::int`), 4)
		check.Equal(t, "functions left", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace`), 0)

		check.Exec(t, pool, `CREATE EXTENSION pgmq`)
		check.Same(t, "queues", check.Values[string](t, pool, `SELECT queue_name || ' ' || is_partitioned || ' ' || is_unlogged FROM pgmq.list_queues() ORDER BY 1`),
			[]string{"fast false true", "parted true false", "plain false false"})
		check.Contains(t, doctor(), `queue "parted": pgmq.q_parted has no settings`)
		check.Exec(t, pool, `CALL pgmq.maintain_partitions()`)
		check.Equal(t, "settings", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.partitioned_tables WHERE partition_interval = '10'`), 2)
		check.Equal(t, "read", check.Value[int64](t, pool, `SELECT msg_id FROM pgmq.read('plain', 30, 5)`), 2)
		check.Equal(t, "sent", check.Value[int64](t, pool, `SELECT pgmq.send('plain', '1')`), 3)
	})

	t.Run("does nothing where the migrations have been", func(t *testing.T) {
		pool := database(t, "migrated")
		check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
		before := check.Catalogue(t, pool)
		check.Exec(t, pool, `CREATE EXTENSION IF NOT EXISTS pgmq CASCADE`)
		check.Same(t, "catalogue", check.Catalogue(t, pool), before)
		check.Exec(t, pool, `DROP EXTENSION pgmq`)
		check.Same(t, "catalogue", check.Catalogue(t, pool), before)
	})

	t.Run("is adopted by the migrations", func(t *testing.T) {
		pool := database(t, "adopted")
		check.Exec(t, pool, `CREATE EXTENSION pgmq`)
		check.Exec(t, pool, `SELECT pgmq.create('Kept'), pgmq.create_partitioned('parted'), pgmq.bind_topic('a.*', 'kept'), pgmq.enable_notify_insert('kept')`)
		check.Exec(t, pool, `SELECT pgmq.send_topic('a.b', '1')`)
		check.OK(t, schema.Migrate(t.Context(), check.SQLDB(t, pool)))
		check.Equal(t, "members", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_depend WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgmq')`), 0)
		check.Exec(t, pool, `CREATE EXTENSION IF NOT EXISTS pgmq`) // as clients do at their start
		check.Exec(t, pool, `DROP EXTENSION pgmq`)
		check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic('a.b', '1')`), 1)
		q := check.Open[int](t, pool, "Kept")
		check.Equal(t, "messages", len(check.Read(t, q, 5)), 2)
		check.Equal(t, "partitioned tables", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.partitioned_tables`), 2)
	})

	t.Run("survives a dump", func(t *testing.T) {
		pool := database(t, "dumped")
		check.Exec(t, pool, `CREATE EXTENSION pgmq`)
		check.OK(t, admin.Create(t.Context(), pool, "Restored"))
		check.Exec(t, pool, `SELECT pgmq.bind_topic('a', 'restored'), pgmq.create_partitioned('parted', '10', '10'), pgmq.enable_notify_insert('restored')`)
		check.Exec(t, pool, `SELECT pgmq.send(q, to_jsonb(i)) FROM unnest('{restored,parted}'::text[]) AS q, generate_series(1, 100) AS i`)
		check.Exec(t, pool, `SELECT pgmq.archive('restored', 1)`)
		into := database(t, "restored")
		file := filepath.Join(t.TempDir(), "dump")
		check.Run(t, check.Cmd(t, filepath.Join(bin, "pg_dump"), "--format=custom", "--file="+file, at("dumped")))
		check.Run(t, check.Cmd(t, filepath.Join(bin, "pg_restore"), "--exit-on-error", "--no-owner", "--dbname="+at("restored"), file))
		for _, sql := range []string{
			`SELECT queue_name::text FROM pgmq.list_queues() ORDER BY 1`,
			`SELECT q::text FROM pgmq.q_restored AS q ORDER BY msg_id`, `SELECT q::text FROM pgmq.q_parted AS q ORDER BY msg_id`, `SELECT a::text FROM pgmq.a_restored AS a`,
			`SELECT b::text FROM pgmq.topic_bindings AS b`, `SELECT p::text FROM pgmq.partitioned_tables AS p ORDER BY 1`,
		} {
			check.Same(t, sql, check.Values[string](t, into, sql), check.Values[string](t, pool, sql))
		}
		check.Equal(t, "the next id", check.Value[int64](t, into, `SELECT pgmq.send('restored', '1')`), 101)
	})
}

func TestTheDebianPackageHoldsTheCommandAndTheExtension(t *testing.T) {
	check.Slow(t)
	if _, err := osexec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not here: a Debian package can be built and tested on Debian only")
	}
	dir := t.TempDir()
	build := check.Cmd(t, "sh", "internal/extension/deb.sh", dir)
	build.Dir = check.Root()
	check.Run(t, build)
	files, err := filepath.Glob(dir + "/pgmq_*.deb")
	check.OK(t, err)
	check.Equal(t, "packages", len(files), 1)
	check.Contains(t, check.Run(t, check.Cmd(t, "dpkg-deb", "--contents", files[0])),
		"./usr/bin/pgmq", "./usr/share/postgresql/15/extension/pgmq.control", "./usr/share/postgresql/18/extension/pgmq--1.13.1.")
	check.Contains(t, check.Run(t, check.Cmd(t, "dpkg-deb", "--field", files[0])), "Package: pgmq", "Version: 1.13.1.")

	unpacked := filepath.Join(dir, "unpacked")
	check.Run(t, check.Cmd(t, "dpkg-deb", "--extract", files[0], unpacked))
	check.Contains(t, check.Run(t, check.Cmd(t, filepath.Join(unpacked, "usr/bin/pgmq"), "--help")), "A message queue on plain Postgres")
}

package cli

import (
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// faulty are commands for a queue, and none works where the queue cannot be
// reached, or only read.
var faulty = [][]string{
	{"send", "QUEUE", "1"},
	{"read", "QUEUE"},
	{"pop", "QUEUE"},
	{"delete", "QUEUE", "1"},
	{"archive", "QUEUE", "1"},
	{"set-vt", "QUEUE", "1m", "1"},
	{"archive", "replay", "QUEUE", "--all"},
	{"archive", "prune", "QUEUE", "--before", "0s", "--yes"},
	{"queue", "purge", "QUEUE", "--yes"},
	{"redrive", "QUEUE", "OTHER"},
	// These two only read.
	{"peek", "QUEUE"},
	{"archive", "list", "QUEUE"},
}

func onQueue(args []string, name, other string) []string {
	replaced := strings.NewReplacer("QUEUE", name, "OTHER", other)
	all := make([]string, len(args))
	for i, arg := range args {
		all[i] = replaced.Replace(arg)
	}
	return all
}

func TestEveryCommandFailsInOneClearLine(t *testing.T) {
	check.Parallel(t)
	pgmq, here := check.Command(t), commandHere(t)
	q, other := pgtest.Queue[raw](t), pgtest.Queue[raw](t)
	check.SendBatch(t, q, []raw{raw("1"), raw("2")})
	_, err := q.ArchiveID(t.Context(), 1)
	check.OK(t, err)
	empty := pgtest.Database(t)
	reader := check.Role(t, "reader", "GRANT USAGE ON SCHEMA pgmq", check.Tables(q.Name(), "GRANT SELECT ON {Q}, {A}"))
	readerRole := reader.Config().ConnConfig.RuntimeParams["role"]
	nobodyRole := check.Role(t, "nobody").Config().ConnConfig.RuntimeParams["role"]

	for i, args := range faulty {
		args := onQueue(args, q.Name(), other.Name())
		check.Failure(t, pgmq(args...), 1, "no database", "--database-url")
		check.Failure(t, pgmq(append(args, "--database-url=postgres://u:s3cret@127.0.0.1:1/x")...), 1, "no answer", "refused")
		check.Failure(t, pgmq(append(args, "--database-url="+pgtest.URL("no_such_database"))...), 1, "no_such_database", "does not exist")
		check.Failure(t, here(onQueue(faulty[i], "a;b", "c")...), 1, "invalid queue name")
		check.Failure(t, here(onQueue(faulty[i], "no such", other.Name())...), 1, "no such queue", "pgmq queue create")
		check.Failure(t, pgmq(append(args, "--database-url="+check.DSN(empty))...), 1, "pgmq")
		check.Failure(t, settings(here(args...), "role="+nobodyRole), 1, "permission denied", "grant")
		if i < len(faulty)-2 {
			check.Failure(t, settings(here(args...), "role="+readerRole), 1, "permission denied", "grant")
			check.Failure(t, settings(here(args...), "default_transaction_read_only=on"), 1, "read-only transaction", "standby")
		} else {
			check.Output(t, settings(here(args...), "role="+readerRole))
			check.Output(t, settings(here(args...), "default_transaction_read_only=on"))
		}
	}
	check.Equal(t, "messages", check.Length(t, q), 1)
	check.Equal(t, "archived", len(check.ArchivedIDs(t, q)), 1)
}

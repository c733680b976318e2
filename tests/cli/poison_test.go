package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// line is a message, or why it does not come out, with times as they are written.
type line struct {
	ID         int64  `json:"msg_id"`
	Error      string `json:"error"`
	EnqueuedAt string `json:"enqueued_at"`
	VisibleAt  string `json:"vt"`
}

func TestCommandShowsWhatIsHardToReadAndGetsRidOfIt(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	comes, stays := check.Poisonous()
	n := 0
	for _, values := range comes {
		check.Insert(t, q.Name(), check.PoisonColumns, values)
		check.Send(t, q, raw(`{}`))
		n += 2
	}
	var bad []string
	for _, values := range stays {
		bad = append(bad, fmt.Sprint(check.Insert(t, q.Name(), check.PoisonColumns, values)))
		check.Send(t, q, raw(`{}`))
		n++
	}
	far := check.Insert(t, q.Name(), check.PoisonColumns, `'infinity', '20000-01-01 00:00:00+00', '{}', NULL`)

	lines := func(what string, args ...string) map[int64]line {
		t.Helper()
		all, failed := map[int64]line{}, 0
		for text := range strings.Lines(check.Output(t, pgmq(args...))) {
			var l line
			check.OK(t, json.Unmarshal([]byte(text), &l))
			all[l.ID] = l
			if l.Error != "" {
				failed++
			}
		}
		check.Equal(t, what+" with an error", failed, len(bad))
		return all
	}
	seen := lines("peeked", "peek", q.Name(), "-n", "500")
	check.Equal(t, "peeked", len(seen), n+len(bad)+1)
	check.Equal(t, "the end of its lease", seen[far].VisibleAt, "infinity")
	check.Contains(t, seen[far].EnqueuedAt, "20000-01-01")
	check.Equal(t, "read", len(lines("read", "read", q.Name(), "-n", "500")), n+len(bad))

	check.Output(t, pgmq("archive", q.Name(), fmt.Sprint(far), bad[0], bad[1]))
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {A} SET archived_at = '-infinity'`))
	check.Equal(t, "archived", len(lines("archived", "archive", "list", q.Name())), len(bad)+1)
	check.Output(t, pgmq("archive", "replay", q.Name(), bad[0], bad[1]))
	check.Equal(t, "peeked again", len(lines("peeked again", "peek", q.Name(), "-n", "500")), n+len(bad))
	check.Output(t, pgmq("set-vt", q.Name(), "0s", "--", fmt.Sprint(far-1)))
	popped := check.Output(t, pgmq("pop", q.Name(), "-n", "500"))
	check.Contains(t, popped, `"error"`)
	check.Output(t, pgmq("archive", "prune", q.Name(), "--before", "2999-01-01", "--yes"))
}

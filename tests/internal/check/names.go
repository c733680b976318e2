package check

import (
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// GoodNames are names of queues that are awkward and allowed.
var GoodNames = []string{
	`"`, "Ünï-Code.1", strings.Repeat("n", 47), "with space", "a.b", "new\nline", `back\slash`, "100%", "pgmq.template_queue",
	`q" (vt) VALUES (now())`, "İstanbul", strings.Repeat("ü", 30),
}

// Life takes a message through every method.
func Life(t testing.TB, db queue.DB, q *queue.Queue[Order]) {
	t.Helper()
	ctx := t.Context()
	hello := Order{ID: 1, Customer: "O'Ne\"il\\ \u2028 {ünï}"}
	Send(t, q, hello, queue.Headers{"a'\"b": []any{1, nil}})
	ids := SendBatch(t, q, []Order{hello, hello, hello, hello}, queue.At(time.Now().Add(-time.Hour)), queue.Headers{"x": "y"})
	msgs := Read(t, q, 2, queue.VT(time.Hour))
	Equal(t, "read", len(msgs), 2)
	Equal(t, "body", msgs[1].Body, hello)
	Equal(t, "headers", msgs[1].Headers["x"], any("y"))
	OK(t, q.SetVT(ctx, time.Minute, msgs...))
	OK(t, q.Delete(ctx, msgs[0]))
	OK(t, q.Archive(ctx, msgs[1]))
	Is(t, q.Delete(ctx, msgs[0]), queue.ErrNotFound)
	m, err := q.Pop(ctx)
	OK(t, err)
	Equal(t, "popped", m.Body, hello)
	for _, byID := range []func() ([]int64, error){
		func() ([]int64, error) { return q.SetVTID(ctx, time.Hour, ids[2]) },
		func() ([]int64, error) { return q.DeleteID(ctx, ids[2]) },
		func() ([]int64, error) { return q.ArchiveID(ctx, ids[3]) },
	} {
		existed, err := byID()
		OK(t, err)
		Equal(t, "existed", len(existed), 1)
	}
	Send(t, q, hello, queue.Delay(time.Hour))
	stats, err := admin.Stats(ctx, db, q.Name())
	OK(t, err)
	Equal(t, "Length", stats.Length, 1)
	Equal(t, "Visible", stats.Visible, 0)
	purged, err := admin.Purge(ctx, db, q.Name())
	OK(t, err)
	Equal(t, "purged", purged, 1)
}

// BindMany binds 10,000 patterns that are made of i.
func BindMany(t testing.TB, db Querier, pattern, queue string) {
	t.Helper()
	Exec(t, db, `INSERT INTO pgmq.topic_bindings (pattern, queue_name) SELECT `+pattern+`, $1 FROM generate_series(1, 10000) AS i`, queue)
}

// Topic makes a word that no other test routes by.
func Topic() string { return strings.ReplaceAll(pgtest.Name(), "_", "-") }

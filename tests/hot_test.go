package tests

import (
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// A claim writes a row anew, some bytes longer. If the page has room for it, no
// index changes.
func TestReadingABacklogChangesNoIndex(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[payload](t)
	sendBatch(t, q, make([]payload, 5000))
	for range 50 {
		equal(t, "the messages read", len(read(t, q, 100)), 100)
	}
	// Statistics are written down some moments later.
	var updates, hot int64
	eventually(t, "5,000 updates are counted", func() bool {
		ok(t, pgtest.Pool().QueryRow(t.Context(), tables(q.Name(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = '{Q}'::regclass`)).Scan(&updates, &hot))
		return updates >= 5000
	})
	if hot < 4500 {
		t.Errorf("%d of %d reads changed the indexes", updates-hot, updates)
	}
}

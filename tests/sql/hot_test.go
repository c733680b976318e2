package sql

import (
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// A claim writes a row anew, some bytes longer. If the page has room for it, no
// index changes.
func TestReadingABacklogChangesNoIndex(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Payload](t)
	check.SendBatch(t, q, make([]check.Payload, 5000))
	for range 50 {
		check.Equal(t, "the messages read", len(check.Read(t, q, 100)), 100)
	}
	// Statistics are written down some moments later.
	var updates, hot int64
	check.Eventually(t, "5,000 updates are counted", func() bool {
		check.OK(t, pgtest.Pool().QueryRow(t.Context(), check.Tables(q.Name(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = '{Q}'::regclass`)).Scan(&updates, &hot))
		return updates >= 5000
	})
	if hot < 4500 {
		t.Errorf("%d of %d reads changed the indexes", updates-hot, updates)
	}
}

package migrate

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// The statements of docs/adopting.md, with PGMQ's SQL between them.
func TestTheWayBackToPGMQKeepsEveryMessage(t *testing.T) {
	check.Parallel(t)
	page, err := os.ReadFile(check.Root("docs/adopting.md"))
	check.OK(t, err)
	back := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllSubmatch(page, -1)
	check.Equal(t, "blocks of SQL in the page", len(back), 2)

	pool := pgtest.Database(t)
	check.InstallPGMQ(t, pool, "1.13")
	pgtest.Migrate(t, pool)
	check.Exec(t, pool, `SELECT pgmq.drop_queue('Orphan')`)
	before := kept(t, pool)
	check.Exec(t, pool, string(back[0][1]))
	for _, version := range check.PGMQVersions {
		check.ExecFile(t, pool, "pgmq_"+version)
	}
	check.Exec(t, pool, string(back[1][1]))

	before = slices.DeleteFunc(before, func(row string) bool {
		return strings.HasPrefix(row, "pgmq.notify_insert_throttle") || strings.HasPrefix(row, "pgmq.partitioned_tables")
	})
	keeps(t, pool, before)
	check.Equal(t, "functions of ours", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_proc WHERE proname = '_apply_storage'`), 0)
	check.Equal(t, "id", check.Value[int](t, pool, `SELECT pgmq.send('orders', '{"n": 24}')`), 24)
	check.Equal(t, "read", check.Value[int](t, pool, `SELECT msg_id FROM pgmq.read('orders', 30, 1)`), 6)
	check.Equal(t, "archived", check.Value[bool](t, pool, `SELECT pgmq.archive('orders', 6)`), true)
	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic('orders.new', '{}')`), 2)
}

package tests

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// The statements of docs/adopting.md, with PGMQ's SQL between them.
func TestTheWayBackToPGMQKeepsEveryMessage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/adopting.md")
	ok(t, err)
	back := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllSubmatch(page, -1)
	equal(t, "blocks of SQL in the page", len(back), 2)

	pool := pgtest.Database(t)
	installPGMQ(t, pool, "1.13")
	pgtest.Migrate(t, pool)
	exec(t, pool, `SELECT pgmq.drop_queue('Orphan')`)
	before := kept(t, pool)
	exec(t, pool, string(back[0][1]))
	for _, version := range pgmqVersions {
		testdata(t, pool, "pgmq_"+version)
	}
	exec(t, pool, string(back[1][1]))

	before = slices.DeleteFunc(before, func(row string) bool {
		return strings.HasPrefix(row, "pgmq.notify_insert_throttle") || strings.HasPrefix(row, "pgmq.partitioned_tables")
	})
	keeps(t, pool, before)
	equal(t, "functions of ours", value[int](t, pool, `SELECT count(*)::int FROM pg_proc WHERE proname = '_apply_storage'`), 0)
	equal(t, "id", value[int](t, pool, `SELECT pgmq.send('orders', '{"n": 24}')`), 24)
	equal(t, "read", value[int](t, pool, `SELECT msg_id FROM pgmq.read('orders', 30, 1)`), 6)
	equal(t, "archived", value[bool](t, pool, `SELECT pgmq.archive('orders', 6)`), true)
	equal(t, "copies", value[int](t, pool, `SELECT pgmq.send_topic('orders.new', '{}')`), 2)
}

package settings

import (
	"os/exec"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// site is where an operation runs: a database under a setting, by a driver in a mode.
type site struct {
	pool    *pgxpool.Pool
	url     string // of the same, for the command
	command func(args ...string) *exec.Cmd
}

// order has values that an encoding or a style could spoil.
type order struct {
	N    int     `json:"n"`
	Name string  `json:"name"`
	Sum  float64 `json:"sum"`
}

// orders are for one queue. The last name has characters that a quoting setting could spoil.
// They are ASCII: tests for encodings are elsewhere.
var orders = []order{{1, "one", 0.1}, {2, "two", 1e-7}, {3, `three\ 'n" {4}`, 12345678.9}}

// queue makes an empty queue.
func (s site) queue(t testing.TB, name string) *queue.Queue[order] {
	t.Helper()
	check.OK(t, admin.Create(t.Context(), s.pool, name))
	return check.Open[order](t, s.pool, name)
}

// filled makes a queue that holds the orders.
func (s site) filled(t testing.TB, name string) *queue.Queue[order] {
	t.Helper()
	q := s.queue(t, name)
	check.SendBatch(t, q, orders, queue.Headers{"trace": "abc"})
	return q
}

// same fails the test unless the messages are the orders.
func same(t testing.TB, msgs []*queue.Message[order]) {
	t.Helper()
	var bodies []order
	for _, m := range msgs {
		bodies = append(bodies, m.Body)
	}
	check.EqualAll(t, "bodies", bodies, orders)
}

// operation is something that a program or an operator does.
type operation struct {
	name string
	do   func(t *testing.T, s site)
}

// modes are pgx's.
var modes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
	pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
}

// run runs operations as subtests, and leaves the database without queues.
func (s site) run(t *testing.T, all []operation) {
	t.Helper()
	for _, op := range all {
		t.Run(op.name, func(t *testing.T) { op.do(t, s) })
	}
	check.Exec(t, s.pool, `SELECT pgmq.drop_queue(queue_name) FROM pgmq.meta`)
}

// share is every n-th of all, beginning with the i-th.
func share(all []operation, i, n int) (some []operation) {
	for at := i % n; at < len(all); at += n {
		some = append(some, all[at])
	}
	return some
}

// everything are all operations.
func everything() []operation { return slices.Concat(inGo, inSQL, byCommand) }

func in(mode pgx.QueryExecMode) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode }
}

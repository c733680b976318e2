package model

import (
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Each check is a random sequence of calls. A failure is shrunk to the shortest
// sequence that still shows it.
func TestModelByGo(t *testing.T) {
	check.Parallel(t)
	compare(t, func(name string, conn queue.DB) []client {
		return []client{byGo(t, pgtest.Pool(), name), byGo(t, conn, name)}
	})
}

func TestModelBySQL(t *testing.T) {
	check.Parallel(t)
	compare(t, func(name string, conn queue.DB) []client {
		return []client{sqlClient{pgtest.Pool(), name}, sqlClient{conn, name}}
	})
}

func TestModelByGoAndSQLTogether(t *testing.T) {
	check.Parallel(t)
	compare(t, func(name string, conn queue.DB) []client {
		return []client{byGo(t, pgtest.Pool(), name), sqlClient{conn, name}}
	})
}

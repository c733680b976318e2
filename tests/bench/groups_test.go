package bench

import (
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// A million messages, in which 10,000 groups take turns; and the same where
// each group's 100 messages lie together.
const (
	takingTurns = `i % 10000`
	together    = `i / 100`
)

// BenchmarkReadGroups reads ten messages of ordered groups from a backlog of a
// million, each time without settling the last: the messages in flight grow.
// BenchmarkReadBacklog is the baseline of the ratio, the same without order.
func BenchmarkReadGroups(b *testing.B) {
	for layout, group := range map[string]string{"turns": takingTurns, "together": together} {
		for _, function := range []string{"read_grouped", "read_grouped_rr", "read_grouped_head"} {
			b.Run(function+"/"+layout, func(b *testing.B) { readBacklog(b, function, group) })
		}
	}
}

func BenchmarkReadBacklog(b *testing.B) { readBacklog(b, "read", takingTurns) }

func readBacklog(b *testing.B, function, group string) {
	b.Helper()
	pool, name := pgtest.Pool(), pgtest.Queue[int](b).Name()
	check.Exec(b, pool, check.Tables(name, `
		INSERT INTO {Q} (vt, message, headers)
		SELECT now(), to_jsonb(i), jsonb_build_object('x-pgmq-group', 'group ' || `+group+`)
		FROM generate_series(0, 999999) AS i`))
	check.Exec(b, pool, check.Tables(name, `VACUUM ANALYZE {Q}`))
	b.ResetTimer()
	for range b.N {
		if n := check.Value[int](b, pool, `SELECT count(*)::int FROM pgmq.`+function+`($1, 3600, 10)`, name); n != 10 {
			b.Fatalf("%d messages", n)
		}
	}
}

package docs

import (
	"sync"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestExamplePolyglotAnswersSQL(t *testing.T) {
	check.Parallel(t)
	pool, binary := check.OwnDatabase(t), example(t, "polyglot")
	polyglot := startProgram(t, pool, binary)
	polyglot.says("waiting for questions")
	check.Exec(t, pool, `SELECT pgmq.send('questions', '{"say": "anything"}')`)

	var all sync.WaitGroup
	for number, want := range map[string]string{
		"97": "97 is a prime",
		"91": "91 is no prime",
		"170141183460469231731687303715884105727": "170141183460469231731687303715884105727 is a prime",
		"170141183460469231731687303715884105729": "170141183460469231731687303715884105729 is no prime",
	} {
		psql := startProgram(t, pool, "psql", "-X", "-d", check.DSN(pool), "-v", "number="+number, "-f", check.Root("examples/polyglot/ask.sql"))
		all.Go(func() {
			check.Hold(psql.ended)
			if psql.output() != want {
				t.Errorf("psql says %q, not %q", psql.output(), want)
			}
		})
	}
	all.Wait()
	polyglot.stop()
	check.Equal(t, "messages left", check.Value[int](t, pool, check.Tables("questions", `SELECT count(*)::int FROM {Q}`)), 0)
	check.Equal(t, "messages left", check.Value[int](t, pool, check.Tables("answers", `SELECT count(*)::int FROM {Q}`)), 0)
	check.Equal(t, "dead letters", check.Value[string](t, pool, check.Tables("questions", `SELECT string_agg(message::text, '') FROM {A}`)), `{"say": "anything"}`)
}

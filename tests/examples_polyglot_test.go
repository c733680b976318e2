package tests

import (
	"sync"
	"testing"
)

func TestExamplePolyglotAnswersSQL(t *testing.T) {
	t.Parallel()
	pool, binary := ownDatabase(t), example(t, "polyglot")
	polyglot := startProgram(t, pool, binary)
	polyglot.says("waiting for questions")
	exec(t, pool, `SELECT pgmq.send('questions', '{"say": "anything"}')`)

	var all sync.WaitGroup
	for number, want := range map[string]string{
		"97": "97 is a prime",
		"91": "91 is no prime",
		"170141183460469231731687303715884105727": "170141183460469231731687303715884105727 is a prime",
		"170141183460469231731687303715884105729": "170141183460469231731687303715884105729 is no prime",
	} {
		psql := startProgram(t, pool, "psql", "-X", "-d", dsn(pool), "-v", "number="+number, "-f", "../examples/polyglot/ask.sql")
		all.Go(func() {
			<-psql.ended
			if psql.output() != want {
				t.Errorf("psql says %q, not %q", psql.output(), want)
			}
		})
	}
	all.Wait()
	polyglot.stop()
	equal(t, "messages left", value[int](t, pool, tables("questions", `SELECT count(*)::int FROM {Q}`)), 0)
	equal(t, "messages left", value[int](t, pool, tables("answers", `SELECT count(*)::int FROM {Q}`)), 0)
	equal(t, "dead letters", value[string](t, pool, tables("questions", `SELECT string_agg(message::text, '') FROM {A}`)), `{"say": "anything"}`)
}

package settings

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// inSQL are the functions, called as other languages call them.
var inSQL = []operation{
	{"every function", func(t *testing.T, s site) {
		for _, call := range check.EveryCall {
			if _, err := s.pool.Exec(t.Context(), call.SQL, "called"); err != nil {
				t.Errorf("%s: %v", call.Function, err)
			}
		}
	}},
	{"topics, groups, metrics", func(t *testing.T, s site) {
		for _, sql := range []string{
			`SELECT pgmq.create('bound'), pgmq.bind_topic('a.*.b_c', 'bound'), pgmq.enable_notify_insert('bound', 0)`,
			`SELECT pgmq.send('bound', '{"a": 1}'::jsonb, '{"x-pgmq-group": "g1"}'::jsonb)`,
			`SELECT * FROM pgmq.test_routing('a.x.b_c')`,
			`SELECT * FROM pgmq.list_topic_bindings()`,
			`SELECT * FROM pgmq.metrics_all()`,
			`SELECT * FROM pgmq.list_queues()`,
			`SELECT * FROM pgmq.list_notify_insert_throttles()`,
			`SELECT pgmq.create_fifo_indexes_all()`,
			`CALL pgmq.maintain_partitions()`,
		} {
			check.Exec(t, s.pool, sql)
		}
		for _, step := range []struct {
			want int
			sql  string
		}{
			{1, `SELECT pgmq.send_topic('a.x.b_c', '{"n": 0.1}')`},
			{1, `SELECT count(*)::int FROM pgmq.send_batch_topic('a.x.b_c', '{1}'::jsonb[])`},
			{3, `SELECT count(*)::int FROM pgmq.read_grouped('bound', 30, 10)`},
			{1, `SELECT count(*)::int FROM pgmq.q_bound WHERE headers ->> 'x-pgmq-group' = 'g1'`},
			{1, `SELECT count(*)::int FROM pgmq.metrics('bound') WHERE newest_msg_age_sec BETWEEN 0 AND 600`},
		} {
			check.Equal(t, step.sql, check.Value[int](t, s.pool, step.sql), step.want)
		}
	}},
}

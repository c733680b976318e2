package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func bind(t testing.TB, pattern, queue string) {
	t.Helper()
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.bind_topic($1, $2)`, pattern, queue)
}

func matches(t testing.TB, key string) []string {
	t.Helper()
	return check.Values[string](t, pgtest.Pool(), `SELECT pattern FROM pgmq.test_routing($1)`, key)
}

func TestPatternsMatchByPGMQsRules(t *testing.T) {
	check.Parallel(t)
	at, name := check.Topic(), pgtest.Queue[int](t).Name()
	patterns := []string{
		at + ".logs.*", at + ".logs.#", at + ".#.error", at + ".a.#.b", at + ".a.*.b", at + ".log*.x", at + ".exact", "#." + at, "*." + at, at,
	}
	for _, pattern := range patterns {
		bind(t, pattern, name)
	}
	for key, want := range map[string][]string{
		".logs":           nil, // the dot beside # is mandatory
		".logs.a":         {".logs.#", ".logs.*"},
		".logs.a.b":       {".logs.#"},
		".error":          nil,
		".x.error":        {".#.error"},
		".a.b":            nil,
		".a.x.b":          {".a.#.b", ".a.*.b"},
		".a.x.y.b":        {".a.#.b"},
		".logger.x":       {".log*.x"},
		".log.x":          nil, // * is one character at least
		".exact":          {".exact"},
		".exactly":        nil,
		"":                {""},
		".logs-and_more.": nil,
	} {
		for i := range want {
			want[i] = at + want[i]
		}
		if strings.HasSuffix(key, ".") {
			continue
		}
		check.Same(t, "patterns of "+key, matches(t, at+key), want)
	}
	check.Same(t, "patterns of a key's end", matches(t, "x."+at), []string{"#." + at, "*." + at})
	check.Same(t, "patterns of a key's end", matches(t, "x.y."+at), []string{"#." + at})
	check.Equal(t, "compiled", check.Value[string](t, pgtest.Pool(), `SELECT compiled_regex FROM pgmq.list_topic_bindings($1) WHERE pattern = $2`, name, at+".logs.*"),
		`^`+at+`\.logs\.[^.]+$`)
	check.Equal(t, "compiled", check.Value[string](t, pgtest.Pool(), `SELECT compiled_regex FROM pgmq.list_topic_bindings() WHERE pattern = $1`, at+".logs.#"),
		`^`+at+`\.logs\..*$`)
}

func TestATopicGivesEachQueueOneCopy(t *testing.T) {
	check.Parallel(t)
	pool, at := pgtest.Pool(), check.Topic()
	first, second, third := pgtest.Queue[int](t), pgtest.Queue[int](t), pgtest.Queue[int](t)
	bind(t, at+".#", first.Name())
	bind(t, at+".*", first.Name())
	bind(t, at+".*", first.Name())
	bind(t, at+".x", second.Name())
	bind(t, "other."+at, third.Name())

	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic($1, '1')`, at+".x"), 2)
	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic($1, '1', 0)`, at+".y"), 1)
	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic(routing_key => $1, msg => '1'::jsonb, headers => '{"h": 1}'::jsonb)`, at+".y"), 1)
	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic($1, '1', '{}'::jsonb, 60)`, at+".y"), 1)
	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic($1, '1')`, at), 0)
	check.Equal(t, "in the first queue", check.Length(t, first), 4)
	check.Equal(t, "in the second queue", check.Length(t, second), 1)
	check.Equal(t, "in the third queue", check.Length(t, third), 0)
	check.Equal(t, "visible in the first", len(check.Read(t, first, 3)), 3)
	check.ReadNone(t, first)
}

func TestABatchToATopicTellsTheIDsOfEachQueue(t *testing.T) {
	check.Parallel(t)
	pool, at := pgtest.Pool(), check.Topic()
	first, second := pgtest.Queue[int](t), pgtest.Queue[int](t)
	if first.Name() > second.Name() {
		first, second = second, first // the rows are by name
	}
	bind(t, at, first.Name())
	bind(t, at, second.Name())
	for _, form := range []struct {
		more            string
		headers, hidden int // how many of the last two have some
	}{
		{"", 0, 0},
		{", 3600", 0, 2},
		{", now() + interval '1 hour'", 0, 2},
		{", ARRAY['{}', NULL]::jsonb[]", 1, 0},
		{", ARRAY['{}', NULL]::jsonb[], 3600", 1, 2},
		{", ARRAY['{}', NULL]::jsonb[], now() + interval '1 hour'", 1, 2},
	} {
		got := check.Values[string](t, pool, `SELECT queue_name || ' ' || msg_id FROM pgmq.send_batch_topic($1, ARRAY['1', '2']::jsonb[]`+form.more+`)`, at)
		check.Equal(t, "rows of"+form.more, len(got), 4)
		for _, q := range []*queue.Queue[int]{first, second} {
			last := `SELECT count(*)::int FROM (SELECT * FROM {Q} ORDER BY msg_id DESC LIMIT 2) AS last WHERE `
			check.Equal(t, "with headers of"+form.more, check.Value[int](t, pool, check.Tables(q.Name(), last+"headers IS NOT NULL")), form.headers)
			check.Equal(t, "hidden of"+form.more, check.Value[int](t, pool, check.Tables(q.Name(), last+"vt > now() + interval '59 min'")), form.hidden)
		}
	}
	got := check.Values[string](t, pool, `SELECT queue_name || ' ' || msg_id FROM pgmq.send_batch_topic($1, ARRAY['1', '2']::jsonb[])`, at)
	check.Same(t, "the last rows", got, []string{first.Name() + " 13", first.Name() + " 14", second.Name() + " 13", second.Name() + " 14"})
}

func TestBindingsFollowTheirQueue(t *testing.T) {
	check.Parallel(t)
	pool, at, name := pgtest.Pool(), check.Topic(), "Bound-"+pgtest.Name()
	pgtest.Named[int](t, name)
	bind(t, at, strings.ToLower(name)) // capitals do not count
	check.Same(t, "bindings", check.Values[string](t, pool, `SELECT queue_name FROM pgmq.list_topic_bindings($1)`, name), []string{name})
	check.Equal(t, "unbound", check.Value[bool](t, pool, `SELECT pgmq.unbind_topic($1, $2)`, at, strings.ToUpper(name)), true)
	check.Equal(t, "unbound again", check.Value[bool](t, pool, `SELECT pgmq.unbind_topic($1, $2)`, at, name), false)
	bind(t, at, name)
	check.Exec(t, pool, `SELECT pgmq.drop_queue($1)`, name)
	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic($1, '1')`, at), 0)
}

// They hold a queue's lock while it is made, bound or dropped.
func TestBindingWaitsForWhoeverChangesTheQueue(t *testing.T) {
	check.Parallel(t)
	at, name := check.Topic(), pgtest.Queue[int](t).Name()
	tx, err := pgtest.Pool().Begin(t.Context())
	check.OK(t, err)
	defer tx.Rollback(t.Context())
	check.Exec(t, tx, `SELECT pgmq.acquire_queue_lock($1)`, strings.ToUpper(name))
	impatient := check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["lock_timeout"] = "20ms" })
	for _, call := range []string{`bind_topic`, `unbind_topic`} {
		_, err := impatient.Exec(t.Context(), `SELECT pgmq.`+call+`($1, $2)`, at, name)
		check.SQLState(t, err, "55P03")
	}
}

func TestQueuesOfAnyNameTakeTopics(t *testing.T) {
	check.Parallel(t)
	pool := routes(t)
	for i, name := range check.GoodNames {
		key := fmt.Sprintf("key.%d", i)
		check.OK(t, admin.Create(t.Context(), pool, name))
		check.Exec(t, pool, `SELECT pgmq.bind_topic($1, $2)`, key, name)
		check.Exec(t, pool, `SELECT pgmq.bind_topic($1, $2)`, key, name)
		check.Same(t, "bindings", check.Values[string](t, pool, `SELECT queue_name FROM pgmq.list_topic_bindings($1)`, name), []string{name})
		check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic($1, '1')`, key), 1)
		check.Same(t, "queues", check.Values[string](t, pool, `SELECT queue_name FROM pgmq.send_batch_topic($1, '{1,2}')`, key), []string{name, name})
		check.Equal(t, "messages", check.Value[int](t, pool, `SELECT count(*)::int FROM pgmq.read($1, 30, 10)`, name), 3)
		check.Equal(t, "unbound", check.Value[bool](t, pool, `SELECT pgmq.unbind_topic($1, $2)`, key, name), true)
	}
}

// Messages arrive unchanged, as pgmq-py sends them.
func TestATopicsCopiesCarryBodyHeadersAndDelay(t *testing.T) {
	check.Parallel(t)
	pool, at := pgtest.Pool(), check.Topic()
	first, second := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	bind(t, at+".*", first.Name())
	bind(t, at+".#", second.Name())
	check.Equal(t, "copies", check.Value[int](t, pool,
		`SELECT pgmq.send_topic(routing_key=>$1::text, msg=>$2::jsonb, headers=>$3::jsonb)`, at+".x", `{"order_id": 1}`, `{"h": "one"}`), 2)
	check.Same(t, "ids", check.Values[string](t, pool,
		`SELECT msg_id::text FROM pgmq.send_batch_topic(routing_key=>$1::text, msgs=>$2::jsonb[], headers=>$3::jsonb[])`,
		at+".x", []string{`{"order_id": 2}`, `{"order_id": 3}`}, []string{`{"h": "two"}`, `{"h": "three"}`}), []string{"2", "3", "2", "3"})
	check.Equal(t, "copies", check.Value[int](t, pool,
		`SELECT pgmq.send_topic(routing_key=>$1::text, msg=>$2::jsonb, headers=>$3::jsonb, delay=>$4::integer)`, at+".x", `{"order_id": 4}`, `{}`, 3600), 2)
	check.Equal(t, "copies", check.Value[int](t, pool,
		`SELECT pgmq.send_topic(routing_key=>$1::text, msg=>$2::jsonb, delay=>$3::integer)`, at+".x", `{"order_id": 5}`, 3600), 2)
	for _, q := range []*queue.Queue[check.Order]{first, second} {
		msgs := check.Read(t, q, 10)
		check.Equal(t, "visible", len(msgs), 3)
		for i, header := range []string{"one", "two", "three"} {
			check.Equal(t, "order", msgs[i].Body.ID, int64(i+1))
			check.Equal(t, "header", msgs[i].Headers["h"], any(header))
		}
		check.Equal(t, "hidden for an hour", check.Value[int](t, pool, check.Tables(q.Name(),
			`SELECT count(*)::int FROM {Q} WHERE msg_id > 3 AND vt - enqueued_at BETWEEN '59 min' AND '61 min'`)), 2)
	}
}

func TestOneQueueThatIsGoneStopsTheWholeSend(t *testing.T) {
	check.Parallel(t)
	pool, at := pgtest.Pool(), check.Topic()
	first, second := pgtest.Queue[int](t), pgtest.Queue[int](t)
	bind(t, at, first.Name())
	bind(t, at, second.Name())
	check.Exec(t, pool, check.Tables(second.Name(), `DROP TABLE {Q}`))
	for _, call := range []string{`send_topic($1, '1')`, `send_batch_topic($1, '{1}')`} {
		_, err := pool.Exec(t.Context(), `SELECT pgmq.`+call, at)
		check.SQLState(t, err, "42P01")
	}
	check.Equal(t, "messages", check.Value[int](t, pool, check.Tables(first.Name(), `SELECT count(*)::int FROM {Q}`)), 0)
}

// As in PGMQ: there is nothing wrong with no delay until somebody needs it.
func TestANullDelayFailsWhereAQueueMatches(t *testing.T) {
	check.Parallel(t)
	pool, at, name := pgtest.Pool(), check.Topic(), pgtest.Queue[int](t).Name()
	check.Equal(t, "copies", check.Value[int](t, pool, `SELECT pgmq.send_topic($1, '1', NULL::integer)`, at), 0)
	bind(t, at, name)
	_, err := pool.Exec(t.Context(), `SELECT pgmq.send_topic($1, '1', NULL::integer)`, at)
	check.SQLState(t, err, "23502")
}

func TestTopicsRefuseInPGMQsWords(t *testing.T) {
	check.Parallel(t)
	name, long := pgtest.Queue[int](t).Name(), strings.Repeat("k", 256)
	for call, want := range map[string]string{
		`validate_routing_key('')`:                       "routing_key cannot be NULL or empty",
		`validate_routing_key(NULL)`:                     "routing_key cannot be NULL or empty",
		`validate_routing_key('` + long + `')`:           "routing_key length cannot exceed 255 characters, got 256 characters",
		`validate_routing_key('a b')`:                    "routing_key contains invalid characters. Only alphanumeric, dots, hyphens, and underscores are allowed. Got: a b",
		`validate_routing_key('.a')`:                     "routing_key cannot start with a dot. Got: .a",
		`validate_routing_key('a.')`:                     "routing_key cannot end with a dot. Got: a.",
		`validate_routing_key('a..b')`:                   "routing_key cannot contain consecutive dots. Got: a..b",
		`test_routing('a..b')`:                           "routing_key cannot contain consecutive dots. Got: a..b",
		`validate_topic_pattern('')`:                     "pattern cannot be NULL or empty",
		`validate_topic_pattern(NULL)`:                   "pattern cannot be NULL or empty",
		`validate_topic_pattern('` + long + `')`:         "pattern length cannot exceed 255 characters, got 256 characters",
		`validate_topic_pattern('.*')`:                   "pattern cannot start with a dot. Got: .*",
		`validate_topic_pattern('#.')`:                   "pattern cannot end with a dot. Got: #.",
		`validate_topic_pattern('a.#*')`:                 "pattern cannot contain adjacent wildcards (*# or #*). Separate wildcards with dots. Got: a.#*",
		`validate_topic_pattern('a b')`:                  "pattern contains invalid characters. Only alphanumeric, dots, hyphens, underscores, *, and # are allowed. Got: a b",
		`validate_topic_pattern('a.**')`:                 "pattern cannot contain consecutive stars (**). Use # for multi-segment matching. Got: a.**",
		`validate_topic_pattern('##')`:                   "pattern cannot contain consecutive hashes (##). A single # already matches zero or more segments. Got: ##",
		`validate_topic_pattern('*#')`:                   "pattern cannot contain adjacent wildcards (*# or #*). Separate wildcards with dots. Got: *#",
		`bind_topic('a', NULL)`:                          "queue_name cannot be NULL or empty",
		`bind_topic('a', '')`:                            "queue_name cannot be NULL or empty",
		`bind_topic('a', 'nowhere')`:                     `Queue "nowhere" does not exist. Create the queue first using pgmq.create()`,
		`bind_topic('a..b', '` + name + `')`:             "pattern cannot contain consecutive dots. Got: a..b",
		`send_topic('a', NULL)`:                          "msg cannot be NULL",
		`send_topic('a', '1', -1)`:                       "delay cannot be negative, got: -1",
		`send_topic('a*', '1')`:                          "routing_key contains invalid characters. Only alphanumeric, dots, hyphens, and underscores are allowed. Got: a*",
		`send_topic('', '1')`:                            "routing_key cannot be NULL or empty",
		`send_batch_topic('a*', '{1}')`:                  "routing_key contains invalid characters. Only alphanumeric, dots, hyphens, and underscores are allowed. Got: a*",
		`send_batch_topic('a', '{}')`:                    "msgs cannot be NULL or empty",
		`send_batch_topic('a', NULL)`:                    "msgs cannot be NULL or empty",
		`send_batch_topic('a', '{1}', ARRAY[]::jsonb[])`: "headers array length (0) must match msgs array length (1)",
	} {
		_, err := pgtest.Pool().Exec(t.Context(), "SELECT pgmq."+call)
		check.SQLState(t, err, "P0001")
		check.Equal(t, call, check.As[*pgconn.PgError](t, err).Message, want)
	}
}

package tests

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/schema"
)

// tenant is what a policy knows a row's owner by.
const tenant = `(message ->> 'tenant' = current_user)`

// tenants makes two roles with all grants on the queue, and their names.
func tenants(t testing.TB, pool *pgxpool.Pool) (a, b *pgxpool.Pool, nameA, nameB string) {
	t.Helper()
	exec(t, pool, `SELECT pgmq.create($1)`, publicQueue)
	grants := append([]string{
		publicQueueTables("GRANT SELECT, INSERT, UPDATE, DELETE ON {Q}"),
		publicQueueTables("GRANT SELECT, INSERT ON {A}"),
	}, apiGrants...)
	a, b = roleOn(t, pool, "tenant_a", grants...), roleOn(t, pool, "tenant_b", grants...)
	return a, b, value[string](t, a, `SELECT current_user`), value[string](t, b, `SELECT current_user`)
}

// sendAs sends a message of a tenant.
func sendAs(ctx context.Context, db querier, name string) error {
	_, err := db.Exec(ctx, `SELECT pgmq_public.send($1, jsonb_build_object('tenant', $2::text))`, publicQueue, name)
	return err
}

func TestPoliciesGiveARoleItsOwnMessagesOnly(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), databaseWith(t, schema.PublicWrappers)
	a, b, nameA, nameB := tenants(t, pool)
	exec(t, pool, publicQueueTables(`
		ALTER TABLE {Q} ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON {Q} USING `+tenant+`;
		ALTER TABLE {A} ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON {A} USING `+tenant))

	// b's are the oldest, and more than a asks for.
	for range 3 {
		ok(t, sendAs(ctx, b, nameB)) // 1 to 3
	}
	for range 4 {
		ok(t, sendAs(ctx, a, nameA)) // 4 to 7
	}
	forbidden(t, "send in another's name", sendAs(ctx, a, nameB))
	forbidden(t, "send in nobody's name", func() error {
		_, err := a.Exec(ctx, `SELECT pgmq_public.send_batch($1, '{"{}", "null"}')`, publicQueue)
		return err
	}())
	equal(t, "messages", value[int](t, pool, publicQueueTables(`SELECT count(*)::int FROM {Q}`)), 7)

	same(t, "what a reads", values[string](t, a, `SELECT msg_id::text FROM pgmq_public.read($1, 60, 2)`, publicQueue), []string{"4", "5"})
	same(t, "what a pops", values[string](t, a, `SELECT msg_id::text FROM pgmq_public.pop($1)`, publicQueue), []string{"6"})
	same(t, "what a sees", values[string](t, a, publicQueueTables(`SELECT msg_id::text FROM {Q} ORDER BY msg_id`)), []string{"4", "5", "7"})

	for _, call := range []string{"archive", "delete"} {
		equal(t, call+" of another's", value[bool](t, a, `SELECT pgmq_public.`+call+`($1, 1)`, publicQueue), false)
	}
	equal(t, "archive", value[bool](t, a, `SELECT pgmq_public.archive($1, 4)`, publicQueue), true)
	equal(t, "delete", value[bool](t, a, `SELECT pgmq_public.delete($1, 5)`, publicQueue), true)
	equal(t, "archive by the other", value[bool](t, b, `SELECT pgmq_public.archive($1, 1)`, publicQueue), true)

	same(t, "a's archive", values[string](t, a, publicQueueTables(`SELECT msg_id::text FROM {A}`)), []string{"4"})
	same(t, "b's archive", values[string](t, b, publicQueueTables(`SELECT msg_id::text FROM {A}`)), []string{"1"})
	same(t, "what b reads", values[string](t, b, `SELECT msg_id::text || ' ' || read_ct FROM pgmq_public.read($1, 60, 10)`, publicQueue), []string{"2 1", "3 1"})
	equal(t, "what nobody of them touched", value[int](t, pool, publicQueueTables(`SELECT msg_id::int FROM {Q} WHERE read_ct = 0`)), 7)
}

// A role that others settle messages of might otherwise archive into their sight.
func TestPoliciesOfTheArchiveHoldWhenArchiving(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), databaseWith(t, schema.PublicWrappers)
	a, _, nameA, _ := tenants(t, pool)
	exec(t, pool, publicQueueTables(`
		ALTER TABLE {Q} ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON {Q} USING `+tenant+`;
		ALTER TABLE {A} ENABLE ROW LEVEL SECURITY`))
	ok(t, sendAs(ctx, a, nameA))
	_, err := a.Exec(ctx, `SELECT pgmq_public.archive($1, 1)`, publicQueue)
	forbidden(t, "archive without a policy", err)
	equal(t, "messages kept", value[int](t, pool, publicQueueTables(`SELECT count(*)::int FROM {Q}`)), 1)

	exec(t, pool, publicQueueTables(`CREATE POLICY own ON {A} USING `+tenant))
	equal(t, "archive with a policy", value[bool](t, a, `SELECT pgmq_public.archive($1, 1)`, publicQueue), true)
}

func TestWithoutAPolicyARoleGetsNothing(t *testing.T) {
	t.Parallel()
	ctx, pool := t.Context(), databaseWith(t, schema.PublicWrappers)
	a, _, nameA, _ := tenants(t, pool)
	ok(t, sendAs(ctx, pool, nameA))
	exec(t, pool, publicQueueTables(`ALTER TABLE {Q} ENABLE ROW LEVEL SECURITY`))

	for _, function := range []string{"read", "pop"} {
		equal(t, function, len(values[int64](t, a, publicCalls[function], publicQueue)), 0)
	}
	for _, function := range []string{"delete", "archive"} {
		equal(t, function, value[bool](t, a, publicCalls[function], publicQueue), false)
	}
	forbidden(t, "send", sendAs(ctx, a, nameA))
	equal(t, "messages", value[int](t, pool, publicQueueTables(`SELECT count(*)::int FROM {Q} WHERE read_ct = 0`)), 1)
}

func TestThePoliciesOfTheDocumentWork(t *testing.T) {
	t.Parallel()
	pool := databaseWith(t, schema.PublicWrappers)
	exec(t, pool, `SELECT pgmq.create('orders')`)
	user := roleOn(t, pool, "user", apiGrants...)
	text, err := os.ReadFile("../docs/pgmq_public.md")
	ok(t, err)
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllSubmatch(text, -1)
	equal(t, "blocks of SQL", len(blocks), 1)
	exec(t, pool, strings.ReplaceAll(string(blocks[0][1]), "authenticated", value[string](t, user, `SELECT current_user`)))

	as := func(sub string) *pgxpool.Pool {
		return poolLike(t, user, func(c *pgxpool.Config) {
			c.ConnConfig.RuntimeParams["request.jwt.claims"] = `{"sub": "` + sub + `"}`
		})
	}
	ada, bob := as("ada"), as("bob")
	exec(t, bob, `SELECT pgmq_public.send_batch('orders', ARRAY['{"user_id": "bob"}', '{"user_id": "bob"}']::jsonb[])`)
	exec(t, ada, `SELECT pgmq_public.send('orders', '{"user_id": "ada"}')`)
	_, err = ada.Exec(t.Context(), `SELECT pgmq_public.send('orders', '{"user_id": "bob"}')`)
	forbidden(t, "send as bob", err)
	_, err = user.Exec(t.Context(), `SELECT pgmq_public.send('orders', '{"user_id": ""}')`)
	forbidden(t, "send as nobody", err)
	same(t, "what ada reads", values[string](t, ada, `SELECT msg_id::text FROM pgmq_public.read('orders', 0, 9)`), []string{"3"})
	equal(t, "ada archives", value[bool](t, ada, `SELECT pgmq_public.archive('orders', 3)`), true)
	same(t, "what bob pops", values[string](t, bob, `SELECT msg_id::text FROM pgmq_public.pop('orders')`), []string{"1"})
	equal(t, "bob deletes", value[bool](t, bob, `SELECT pgmq_public.delete('orders', 2)`), true)
	equal(t, "bob's archive", value[int](t, bob, `SELECT count(*)::int FROM pgmq.a_orders`), 0)

	// The table of grants is the one that was tried above.
	lines := regexp.MustCompile("(?m)^\\| `.*$").FindAllString(string(text), -1)
	for function, grants := range queueGrants {
		i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "`"+function+"`") })
		equal(t, function+" is in the table", i >= 0, true)
		equal(t, "grants for "+function, strings.Count(lines[i][strings.Index(lines[i][2:], "|"):], "`")/2, len(grants))
		for _, grant := range grants {
			privilege, _, _ := strings.Cut(strings.TrimPrefix(grant, "GRANT "), " ON ")
			contains(t, lines[i], "`"+privilege+"`")
		}
	}
}

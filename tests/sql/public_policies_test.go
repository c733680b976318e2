package sql

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// tenant identifies a row's owner for a policy.
const tenant = `(message ->> 'tenant' = current_user)`

// tenants makes two roles with all grants on the queue, and their names.
func tenants(t testing.TB, pool *pgxpool.Pool) (a, b *pgxpool.Pool, nameA, nameB string) {
	t.Helper()
	check.Exec(t, pool, `SELECT pgmq.create($1)`, publicQueue)
	grants := append([]string{
		publicQueueTables("GRANT SELECT, INSERT, UPDATE, DELETE ON {Q}"),
		publicQueueTables("GRANT SELECT, INSERT ON {A}"),
	}, apiGrants...)
	a, b = check.RoleOn(t, pool, "tenant_a", grants...), check.RoleOn(t, pool, "tenant_b", grants...)
	return a, b, check.Value[string](t, a, `SELECT current_user`), check.Value[string](t, b, `SELECT current_user`)
}

// sendAs sends a message of a tenant.
func sendAs(ctx context.Context, db check.Querier, name string) error {
	_, err := db.Exec(ctx, `SELECT pgmq_public.send($1, jsonb_build_object('tenant', $2::text))`, publicQueue, name)
	return err
}

func TestPoliciesGiveARoleItsOwnMessagesOnly(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), check.DatabaseWith(t, schema.PublicWrappers)
	a, b, nameA, nameB := tenants(t, pool)
	check.Exec(t, pool, publicQueueTables(`
		ALTER TABLE {Q} ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON {Q} USING `+tenant+`;
		ALTER TABLE {A} ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON {A} USING `+tenant))

	// b's are the oldest, and more than a asks for.
	for range 3 {
		check.OK(t, sendAs(ctx, b, nameB)) // 1 to 3
	}
	for range 4 {
		check.OK(t, sendAs(ctx, a, nameA)) // 4 to 7
	}
	check.Forbidden(t, "send in another's name", sendAs(ctx, a, nameB))
	check.Forbidden(t, "send in nobody's name", func() error {
		_, err := a.Exec(ctx, `SELECT pgmq_public.send_batch($1, '{"{}", "null"}')`, publicQueue)
		return err
	}())
	check.Equal(t, "messages", check.Value[int](t, pool, publicQueueTables(`SELECT count(*)::int FROM {Q}`)), 7)

	check.Same(t, "what a reads", check.Values[string](t, a, `SELECT msg_id::text FROM pgmq_public.read($1, 60, 2)`, publicQueue), []string{"4", "5"})
	check.Same(t, "what a pops", check.Values[string](t, a, `SELECT msg_id::text FROM pgmq_public.pop($1)`, publicQueue), []string{"6"})
	check.Same(t, "what a sees", check.Values[string](t, a, publicQueueTables(`SELECT msg_id::text FROM {Q} ORDER BY msg_id`)), []string{"4", "5", "7"})

	for _, call := range []string{"archive", "delete"} {
		check.Equal(t, call+" of another's", check.Value[bool](t, a, `SELECT pgmq_public.`+call+`($1, 1)`, publicQueue), false)
	}
	check.Equal(t, "archive", check.Value[bool](t, a, `SELECT pgmq_public.archive($1, 4)`, publicQueue), true)
	check.Equal(t, "delete", check.Value[bool](t, a, `SELECT pgmq_public.delete($1, 5)`, publicQueue), true)
	check.Equal(t, "archive by the other", check.Value[bool](t, b, `SELECT pgmq_public.archive($1, 1)`, publicQueue), true)

	check.Same(t, "a's archive", check.Values[string](t, a, publicQueueTables(`SELECT msg_id::text FROM {A}`)), []string{"4"})
	check.Same(t, "b's archive", check.Values[string](t, b, publicQueueTables(`SELECT msg_id::text FROM {A}`)), []string{"1"})
	check.Same(t, "what b reads", check.Values[string](t, b, `SELECT msg_id::text || ' ' || read_ct FROM pgmq_public.read($1, 60, 10)`, publicQueue), []string{"2 1", "3 1"})
	check.Equal(t, "what nobody of them touched", check.Value[int](t, pool, publicQueueTables(`SELECT msg_id::int FROM {Q} WHERE read_ct = 0`)), 7)
}

// Otherwise a role might archive messages where other roles can see them.
func TestPoliciesOfTheArchiveHoldWhenArchiving(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), check.DatabaseWith(t, schema.PublicWrappers)
	a, _, nameA, _ := tenants(t, pool)
	check.Exec(t, pool, publicQueueTables(`
		ALTER TABLE {Q} ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON {Q} USING `+tenant+`;
		ALTER TABLE {A} ENABLE ROW LEVEL SECURITY`))
	check.OK(t, sendAs(ctx, a, nameA))
	_, err := a.Exec(ctx, `SELECT pgmq_public.archive($1, 1)`, publicQueue)
	check.Forbidden(t, "archive without a policy", err)
	check.Equal(t, "messages kept", check.Value[int](t, pool, publicQueueTables(`SELECT count(*)::int FROM {Q}`)), 1)

	check.Exec(t, pool, publicQueueTables(`CREATE POLICY own ON {A} USING `+tenant))
	check.Equal(t, "archive with a policy", check.Value[bool](t, a, `SELECT pgmq_public.archive($1, 1)`, publicQueue), true)
}

func TestWithoutAPolicyARoleGetsNothing(t *testing.T) {
	check.Parallel(t)
	ctx, pool := t.Context(), check.DatabaseWith(t, schema.PublicWrappers)
	a, _, nameA, _ := tenants(t, pool)
	check.OK(t, sendAs(ctx, pool, nameA))
	check.Exec(t, pool, publicQueueTables(`ALTER TABLE {Q} ENABLE ROW LEVEL SECURITY`))

	for _, function := range []string{"read", "pop"} {
		check.Equal(t, function, len(check.Values[int64](t, a, publicCalls[function], publicQueue)), 0)
	}
	for _, function := range []string{"delete", "archive"} {
		check.Equal(t, function, check.Value[bool](t, a, publicCalls[function], publicQueue), false)
	}
	check.Forbidden(t, "send", sendAs(ctx, a, nameA))
	check.Equal(t, "messages", check.Value[int](t, pool, publicQueueTables(`SELECT count(*)::int FROM {Q} WHERE read_ct = 0`)), 1)
}

func TestThePoliciesOfTheDocumentWork(t *testing.T) {
	check.Parallel(t)
	pool := check.DatabaseWith(t, schema.PublicWrappers)
	check.Exec(t, pool, `SELECT pgmq.create('orders')`)
	user := check.RoleOn(t, pool, "user", apiGrants...)
	text, err := os.ReadFile(check.Root("docs/pgmq_public.md"))
	check.OK(t, err)
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllSubmatch(text, -1)
	check.Equal(t, "blocks of SQL", len(blocks), 1)
	check.Exec(t, pool, strings.ReplaceAll(string(blocks[0][1]), "authenticated", check.Value[string](t, user, `SELECT current_user`)))

	as := func(sub string) *pgxpool.Pool {
		return check.PoolLike(t, user, func(c *pgxpool.Config) {
			c.ConnConfig.RuntimeParams["request.jwt.claims"] = `{"sub": "` + sub + `"}`
		})
	}
	ada, bob := as("ada"), as("bob")
	check.Exec(t, bob, `SELECT pgmq_public.send_batch('orders', ARRAY['{"user_id": "bob"}', '{"user_id": "bob"}']::jsonb[])`)
	check.Exec(t, ada, `SELECT pgmq_public.send('orders', '{"user_id": "ada"}')`)
	_, err = ada.Exec(t.Context(), `SELECT pgmq_public.send('orders', '{"user_id": "bob"}')`)
	check.Forbidden(t, "send as bob", err)
	_, err = user.Exec(t.Context(), `SELECT pgmq_public.send('orders', '{"user_id": ""}')`)
	check.Forbidden(t, "send as nobody", err)
	check.Same(t, "what ada reads", check.Values[string](t, ada, `SELECT msg_id::text FROM pgmq_public.read('orders', 0, 9)`), []string{"3"})
	check.Equal(t, "ada archives", check.Value[bool](t, ada, `SELECT pgmq_public.archive('orders', 3)`), true)
	check.Same(t, "what bob pops", check.Values[string](t, bob, `SELECT msg_id::text FROM pgmq_public.pop('orders')`), []string{"1"})
	check.Equal(t, "bob deletes", check.Value[bool](t, bob, `SELECT pgmq_public.delete('orders', 2)`), true)
	check.Equal(t, "bob's archive", check.Value[int](t, bob, `SELECT count(*)::int FROM pgmq.a_orders`), 0)

	// The table of grants is the one that was tried above.
	lines := regexp.MustCompile("(?m)^\\| `.*$").FindAllString(string(text), -1)
	for function, grants := range queueGrants {
		i := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "`"+function+"`") })
		check.Equal(t, function+" is in the table", i >= 0, true)
		check.Equal(t, "grants for "+function, strings.Count(lines[i][strings.Index(lines[i][2:], "|"):], "`")/2, len(grants))
		for _, grant := range grants {
			privilege, _, _ := strings.Cut(strings.TrimPrefix(grant, "GRANT "), " ON ")
			check.Contains(t, lines[i], "`"+privilege+"`")
		}
	}
}

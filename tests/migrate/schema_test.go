package migrate

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func provider(t testing.TB, pool *pgxpool.Pool) *goose.Provider {
	t.Helper()
	p, err := schema.Provider(check.SQLDB(t, pool))
	check.OK(t, err)
	return p
}

func TestUpDownToZeroAndUpAgainLeaveNothingBehind(t *testing.T) {
	check.Long(t)
	ctx, pool := t.Context(), pgtest.Database(t)
	empty := check.Catalogue(t, pool)

	p := provider(t, pool)
	at := map[int64][]string{} // the objects that each version makes in an empty database
	for range p.ListSources() {
		result, err := p.UpByOne(ctx)
		check.OK(t, err)
		at[result.Source.Version] = check.Catalogue(t, pool)
	}
	up := check.Catalogue(t, pool)

	// Every step alone, down and up again, with queues that come and go.
	for {
		version, err := p.GetDBVersion(ctx)
		check.OK(t, err)
		if version == 0 {
			break
		}
		before := check.Catalogue(t, pool)
		check.Same(t, fmt.Sprintf("back at version %d", version), before, at[version])
		_, err = p.Down(ctx)
		check.OK(t, err)
		_, err = p.UpByOne(ctx)
		check.OK(t, err)
		check.Same(t, fmt.Sprintf("after version %d down and up", version), check.Catalogue(t, pool), before)
		_, err = p.Down(ctx)
		check.OK(t, err)
	}
	check.OK(t, schema.Migrate(ctx, check.SQLDB(t, pool)))
	check.Same(t, "up again", check.Catalogue(t, pool), up)

	check.OK(t, admin.Create(ctx, pool, "empty"))
	check.OK(t, admin.Create(ctx, pool, "Ünï unlogged", admin.Unlogged))
	check.OK(t, schema.Remove(ctx, check.SQLDB(t, pool)))
	check.Same(t, "removed", check.Catalogue(t, pool), empty)
	check.OK(t, schema.Migrate(ctx, check.SQLDB(t, pool)))
	check.Same(t, "up after removal", check.Catalogue(t, pool), up)
}

func TestMigrateAgainDoesNothing(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t)
	pgtest.Migrate(t, pool)
	before := check.Catalogue(t, pool)
	results, err := provider(t, pool).Up(t.Context())
	check.OK(t, err)
	check.Equal(t, "the number of migrations applied", len(results), 0)
	check.Same(t, "the catalogue", check.Catalogue(t, pool), before)
}

func TestEightProcessesMayMigrateAtOnce(t *testing.T) {
	check.Long(t)
	pool := pgtest.Database(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		// A pool each, as eight processes have.
		other := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.MaxConns = 1 })
		db := check.SQLDB(t, other)
		wg.Go(func() { errs[i] = schema.Migrate(context.WithoutCancel(t.Context()), db) })
	}
	wg.Wait()
	for _, err := range errs {
		check.OK(t, err)
	}
	check.Equal(t, "rows of the version table that are applied twice", check.Value[int](t, pool,
		`SELECT count(*)::int FROM (SELECT FROM `+schema.VersionTable+` GROUP BY version_id HAVING count(*) > 1) AS twice`), 0)
}

func TestDownRefusesWhileThereAreMessages(t *testing.T) {
	check.Parallel(t)
	for _, place := range []string{"queue", "archive"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			ctx, pool := t.Context(), pgtest.Database(t)
			pgtest.Migrate(t, pool)
			check.OK(t, admin.Create(ctx, pool, "a b"))
			check.OK(t, admin.Create(ctx, pool, "empty"))
			q := check.Open[check.Order](t, pool, "a b")
			id := check.Send(t, q, check.Order{ID: 1})
			if place == "archive" {
				check.OK(t, q.Archive(ctx, check.ReadOne(t, q)))
			}

			err := schema.Remove(ctx, check.SQLDB(t, pool))
			check.SQLState(t, err, "55000")

			// Nothing was lost, and up makes the missing objects.
			check.Equal(t, "messages", check.Value[int](t, pool, check.Tables("a b", `SELECT (SELECT count(*) FROM {Q}) + (SELECT count(*) FROM {A})`)), 1)
			check.OK(t, schema.Migrate(ctx, check.SQLDB(t, pool)))
			check.Equal(t, "queues", len(check.Values[string](t, pool, `SELECT queue_name FROM pgmq.list_queues()`)), 2)
			if place == "queue" {
				check.Equal(t, "id", check.ReadOne(t, q).ID, id)
			}

			told := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["pgmq.drop_messages"] = "on" })
			check.OK(t, schema.Remove(ctx, check.SQLDB(t, told)))
		})
	}
}

func TestMigrateInALocaleOfItsOwn(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Database(t, "TEMPLATE template0 LOCALE 'C'")
	pgtest.Migrate(t, pool)
	check.OK(t, admin.Create(t.Context(), pool, "Ünï-Code.1"))
	q := check.Open[check.Order](t, pool, "Ünï-Code.1")
	check.Send(t, q, check.Order{ID: 1})
	check.OK(t, q.Delete(t.Context(), check.ReadOne(t, q)))
	check.OK(t, admin.Drop(t.Context(), pool, "Ünï-Code.1"))
	check.Equal(t, "tables left", check.Value[int](t, pool, `SELECT count(*)::int FROM pg_tables WHERE tablename ~ '^[qa]_'`), 0)
}

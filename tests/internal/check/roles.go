package check

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// InsufficientPrivilege is the SQLSTATE of a missing privilege.
const InsufficientPrivilege = "42501"

// Role makes a role with some grants, and a pool that works under it.
func Role(t testing.TB, name string, grants ...string) *pgxpool.Pool {
	t.Helper()
	return RoleOn(t, pgtest.Pool(), name, grants...)
}

// granting is held by tests that grant or revoke: Postgres does not wait for another
// session that changes the rights to the same schema, it fails.
var granting sync.Mutex

// RoleOn is Role for another database.
func RoleOn(t testing.TB, pool *pgxpool.Pool, name string, grants ...string) *pgxpool.Pool {
	t.Helper()
	id := fmt.Sprintf("%s_%d", name, time.Now().UnixNano())
	Exec(t, pool, "CREATE ROLE "+id)
	t.Cleanup(func() {
		granting.Lock()
		defer granting.Unlock()
		_, _ = pool.Exec(context.Background(), "DROP OWNED BY "+id+"; DROP ROLE "+id)
	})
	granting.Lock()
	defer granting.Unlock()
	for _, grant := range grants {
		Exec(t, pool, grant+" TO "+id)
	}
	return PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["role"] = id })
}

// Forbidden fails the test unless err says that a privilege is missing. The text what
// completes "the role may".
func Forbidden(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("the role may %s", what)
	}
	SQLState(t, err, InsufficientPrivilege)
}

// Documented makes a role with the grants that docs/roles.md has under some
// headings, for a queue of this name.
func Documented(t testing.TB, name string, headings ...string) *pgxpool.Pool {
	t.Helper()
	return DocumentedOn(t, pgtest.Pool(), name, headings...)
}

// DocumentedOn is Documented for another database.
func DocumentedOn(t testing.TB, pool *pgxpool.Pool, name string, headings ...string) *pgxpool.Pool {
	t.Helper()
	text, err := os.ReadFile(Root("docs/roles.md"))
	OK(t, err)
	var grants []string
	for _, heading := range headings {
		_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
		block := regexp.MustCompile("(?s)```sql\n(.*?)```").FindStringSubmatch(section)
		if !found || block == nil {
			t.Fatalf("docs/roles.md has no SQL for %s", heading)
		}
		statements := strings.NewReplacer("_orders", "_"+name).Replace(block[1])
		for _, grant := range strings.Split(strings.TrimSpace(statements), "\n") {
			grants = append(grants, strings.TrimSuffix(grant, " TO app;"))
		}
	}
	return RoleOn(t, pool, strings.ToLower(headings[0]), grants...)
}

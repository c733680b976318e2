package settings

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// pgx sends UTF-8 and does not say so: docs/your-own.md.
func TestEveryOperationWorksInADatabaseOfAnotherEncoding(t *testing.T) {
	check.Long(t)
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		t.Run(encoding, func(t *testing.T) {
			pool := pgtest.Database(t, "ENCODING '"+encoding+"' LOCALE 'C' TEMPLATE template0")
			pgtest.Migrate(t, pool)
			told := check.PoolLike(t, pool, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["client_encoding"] = "UTF8" })
			site{told, check.DSN(pool), check.Command(t)}.run(t, slices.Concat(inGo, byCommand[:2]))
		})
	}
}

// A role owns its database, and has no right beyond that; no role may use the objects that
// come with a database unless they are granted.
func TestEveryOperationWorksForARoleWithoutAnyPrivilege(t *testing.T) {
	check.Long(t)
	pool := pgtest.Database(t)
	database := pool.Config().ConnConfig.Database
	role := check.RoleOn(t, pool, "owner", "GRANT ALL ON DATABASE "+database)
	name := role.Config().ConnConfig.RuntimeParams["role"]
	check.Exec(t, pool, `ALTER DATABASE `+database+` OWNER TO `+name)
	check.Exec(t, pool, `REVOKE ALL ON DATABASE `+database+` FROM PUBLIC; REVOKE TEMP ON DATABASE `+database+` FROM `+name)
	check.Exec(t, pool, `ALTER DEFAULT PRIVILEGES FOR ROLE `+name+` REVOKE ALL ON TABLES FROM PUBLIC;
		ALTER DEFAULT PRIVILEGES FOR ROLE `+name+` REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
		ALTER DEFAULT PRIVILEGES FOR ROLE `+name+` REVOKE USAGE ON TYPES FROM PUBLIC`)
	t.Cleanup(func() { _, _ = pool.Exec(t.Context(), `ALTER DATABASE `+database+` OWNER TO CURRENT_USER`) })
	pgtest.Migrate(t, role)
	url := check.DSN(pool)
	if strings.Contains(url, "?") {
		url += "&role=" + name
	} else {
		url += "?role=" + name
	}
	site{role, url, check.Command(t)}.run(t, slices.Concat(inGo, inSQL, byCommand[5:7]))
}

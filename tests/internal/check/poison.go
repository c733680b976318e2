package check

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// Damaged is an invalid jsonb: the server fails to write it out.
const Damaged = `'\x00000000'::bytea::jsonb`

// Expanding is a body of 2.5 KB that is 1.2 GB as text, which is more than the
// server can write.
const Expanding = `('[' || rtrim(repeat('1e131071,', 9000), ',') || ']')::jsonb`

// Insert puts a message into a queue, past all functions: the SQL of its values for
// the columns. It returns the id.
func Insert(t testing.TB, name, columns, values string) (id int64) {
	t.Helper()
	OK(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		Exec(t, tx, `CREATE CAST (bytea AS jsonb) WITHOUT FUNCTION`) // for Damaged
		id = Value[int64](t, tx, Tables(name, `INSERT INTO {Q} (`+columns+`) VALUES (`+values+`) RETURNING msg_id`))
		Exec(t, tx, `DROP CAST (bytea AS jsonb)`)
		return nil
	}))
	return id
}

// Poisonous are the values of a message that is hard to read, by the reason.
// The columns are vt, enqueued_at, message and headers. Messages that can be fetched are
// told from those that cannot.
func Poisonous() (comes, stays map[string]string) {
	comes = map[string]string{
		"vt before all times":        `'-infinity', now(), '"good"', NULL`,
		"enqueued after all times":   `now(), 'infinity', '"good"', NULL`,
		"enqueued before all times":  `now(), '-infinity', '"good"', NULL`,
		"enqueued in a far year":     `now(), '20000-01-01', '"good"', NULL`,
		"headers that are an array":  `now(), now(), '"good"', '[1]'`,
		"headers that are a string":  `now(), now(), '"good"', '"x"'`,
		"headers that are null":      `now(), now(), '"good"', 'null'`,
		"no body, SQL's NULL":        `now(), now(), NULL, NULL`,
		"more than comes along":      `now(), now(), to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 20000) AS i)), NULL`,
		"headers that are very long": `now(), now(), '"good"', jsonb_build_object('h', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 20000) AS i))`,
	}
	stays = map[string]string{
		"a damaged body":  `now(), now(), ` + Damaged + `, NULL`,
		"damaged headers": `now(), now(), '"good"', ` + Damaged,
	}
	return comes, stays
}

// PoisonColumns are the columns of Poisonous.
const PoisonColumns = "vt, enqueued_at, message, headers"

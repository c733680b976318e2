package bench

import (
	"fmt"
	"testing"
)

const (
	settleByJoin = `DELETE FROM {Q} AS q
		USING unnest(@ids::bigint[], @read_cts::int[], @last_read_ats::timestamptz[]) AS r (msg_id, read_ct, last_read_at)
		WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at`
	settleByCtid = `DELETE FROM {Q} AS q WHERE q.ctid = ANY (@ctids::tid[]) AND q.msg_id = ANY (@ids::bigint[])
		AND q.read_ct = (@read_cts::int[])[width_bucket(q.msg_id, @ids::bigint[])]
		AND q.last_read_at = (@last_read_ats::timestamptz[])[width_bucket(q.msg_id, @ids::bigint[])]`
	sendPlain = `INSERT INTO {Q} (vt, message) SELECT statement_timestamp(), b.message
		FROM ROWS FROM (unnest(@messages::jsonb[])) WITH ORDINALITY AS b (message, ord)
		ORDER BY b.ord RETURNING msg_id`
	lockQueue = `SELECT pg_advisory_xact_lock('{Q}'::regclass::oid::bigint)`
)

var (
	claimByCtid = claim(`WHERE q.ctid = ANY (ARRAY(` + oldest("ctid") + ` FOR UPDATE SKIP LOCKED))`)
	claimByJoin = `WITH next AS MATERIALIZED (` + oldest("msg_id") + ` FOR UPDATE SKIP LOCKED) ` + claim(`FROM next WHERE q.msg_id = next.msg_id`)
	// Nobody else claims meanwhile, so no row needs a lock.
	claimAlone = claim(`WHERE q.msg_id = ANY (ARRAY(` + oldest("msg_id") + `))`)
)

var questions = []question{
	{"Which indexes?", 1, []variant{
		{name: "on msg_id and on groups"},
		{name: "on vt as well", setup: `CREATE INDEX ON {Q} (vt)`},
		{name: "not on groups", setup: `DROP INDEX {Q}_coalesce_msg_id_idx`},
		{name: "on vt, not on groups", setup: `CREATE INDEX ON {Q} (vt); DROP INDEX {Q}_coalesce_msg_id_idx`},
	}},
	{"How full a page?", 1, []variant{
		{name: "fillfactor 50"},
		{name: "fillfactor 100", setup: `ALTER TABLE {Q} SET (fillfactor = 100)`},
		{name: "fillfactor 70", setup: `ALTER TABLE {Q} SET (fillfactor = 70)`},
		{name: "fillfactor 60", setup: `ALTER TABLE {Q} SET (fillfactor = 60)`},
	}},
	{"How are rows found?", 1, []variant{
		{name: "an array of ids"},
		{name: "claimed by ctid", claim: claimByCtid},
		{name: "claimed and settled by ctid", claim: claimByCtid, settle: settleByCtid},
		{name: "joins", claim: claimByJoin, settle: settleByJoin},
		{name: "an array of ids, without settings", along: asItLikes},
		{name: "joins, without settings", along: asItLikes, claim: claimByJoin, settle: settleByJoin},
	}},
	{"Which lock, with one reader?", 1, []variant{
		{name: "SKIP LOCKED"},
		{name: "one lock for the queue", first: lockQueue, claim: claimAlone},
	}},
	{"Which lock, with four readers?", 4, []variant{
		{name: "SKIP LOCKED"},
		{name: "one lock for the queue", first: lockQueue, claim: claimAlone},
	}},
	{"What goes in one round trip?", 1, []variant{
		{name: "the planner's settings and a claim or a settle"},
		{name: "settles with the next claim", together: true},
		{name: "without settings, which the connection has", along: asItLikes, session: `SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan`},
	}},
	{"Which arrays are sent?", 1, []variant{
		{name: "messages, headers, times and delays"},
		{name: "messages", send: sendPlain},
	}},
	{"What waits for the disk?", 1, []variant{
		{name: "every commit"},
		{name: "all but claims", first: `SELECT set_config('synchronous_commit', 'off', true)`},
		{name: "nothing", session: `SET synchronous_commit = off`},
	}},
}

// BenchmarkVariants compares tables and statements, in turn, and prints a table
// of medians for each question. A round sends 10,000 messages by each variant, and
// claims and settles them by the hundred. Run it with -benchtime 7x.
func BenchmarkVariants(b *testing.B) {
	var report string
	for _, q := range questions {
		b.Run(q.asks, func(b *testing.B) { report += q.answer(b) })
	}
	fmt.Print(report)
}

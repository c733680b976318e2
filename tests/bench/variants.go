package bench

// A variant is another design of a queue: a table, and the statements on it. Empty fields
// stand for today's design.
type variant struct {
	name    string
	setup   string // changes the table
	session string // settings of the connections
	along   string // goes along in the round trip, and the transaction, of each claim and settle
	first   string // goes before each claim in its transaction
	send    string
	claim   string
	settle  string
	// together settles in the round trip, and the transaction, of the next claim.
	together bool
}

// asItLikes leaves the planner its choice: nothing goes along.
const asItLikes = "-"

// today is the design of queue.Queue[T], in short.
var today = variant{
	along: `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
		set_config('jit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`,
	send: `INSERT INTO {Q} (vt, message, headers)
		SELECT coalesce(nullif(b.visible_at, '0001-01-01 00:00:00+00'), statement_timestamp() + b.delay * interval '1 second'), b.message, b.headers
		FROM ROWS FROM (
			unnest(@messages::jsonb[]), unnest(@headers::jsonb[]), unnest(@visible_ats::timestamptz[]), unnest(@delays::float8[])
		) WITH ORDINALITY AS b (message, headers, visible_at, delay, ord)
		ORDER BY b.ord RETURNING msg_id`,
	claim: claim(`WHERE q.msg_id = ANY (ARRAY(` + oldest("msg_id") + ` FOR UPDATE SKIP LOCKED))`),
	settle: `DELETE FROM {Q} AS q WHERE q.msg_id = ANY (@ids::bigint[])
		AND q.read_ct = (@read_cts::int[])[width_bucket(q.msg_id, @ids::bigint[])]
		AND q.last_read_at = (@last_read_ats::timestamptz[])[width_bucket(q.msg_id, @ids::bigint[])]`,
}

// claim is the UPDATE of a claim; from finds its rows.
func claim(from string) string {
	return `UPDATE {Q} AS q
		SET vt = statement_timestamp() + interval '30 seconds', read_ct = q.read_ct + 1, last_read_at = statement_timestamp()
		` + from + `
		RETURNING q.ctid, q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers`
}

// oldest finds the visible rows that are first.
func oldest(column string) string {
	return `SELECT ` + column + ` FROM {Q} WHERE msg_id >= @first::bigint AND vt <= statement_timestamp() ORDER BY msg_id LIMIT @n::int`
}

// A question has variants as its answers. The first variant is today's design.
type question struct {
	asks     string
	readers  int
	variants []variant
}

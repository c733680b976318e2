-- name: Read :many
-- The queries of this file and the functions in schema/00005_read.sql keep one
-- contract: the tests doors_*_test.go hold them together.
--
-- Read hides up to n visible messages for the visibility timeout and returns
-- them: the oldest from the id first on, in no order among themselves. What
-- another reader is taking at this moment is skipped, not waited for.
--
-- Stored is how many bytes body and headers take in the table. A message that has
-- more than apart comes without them: they are to be fetched by themselves, with
-- Peek.
--
-- There is always a row; found says whether it is a message. The same in each row:
-- transactions before oldest_running had ended, and what they sent was seen; those
-- from next_id on had not begun to send; took is how many seconds the server needed
-- to find the messages.
WITH taken AS (
    UPDATE pgmq.template_queue AS q
    SET
        vt = statement_timestamp() + sqlc.arg('vt')::interval,
        read_ct = q.read_ct + 1,
        last_read_at = statement_timestamp()
    -- An array and no join: it is made once, and needs no plan that statistics can
    -- turn into a scan of the table.
    WHERE q.msg_id = ANY (ARRAY(
        SELECT msg_id
        FROM pgmq.template_queue
        WHERE msg_id >= sqlc.arg('first')::bigint AND vt <= statement_timestamp()
        ORDER BY msg_id
        LIMIT sqlc.arg('n')::integer
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
)
SELECT
    (t.msg_id IS NOT NULL)::boolean AS found,
    coalesce(t.msg_id, 0)::bigint AS msg_id,
    coalesce(t.read_ct, 0)::integer AS read_ct,
    coalesce(t.enqueued_at, statement_timestamp())::timestamptz AS enqueued_at,
    coalesce(t.last_read_at, statement_timestamp())::timestamptz AS last_read_at,
    coalesce(t.vt, statement_timestamp())::timestamptz AS vt,
    (CASE WHEN size.stored <= sqlc.arg('apart')::integer THEN t.message END)::jsonb AS message,
    (CASE WHEN size.stored <= sqlc.arg('apart')::integer THEN t.headers END)::jsonb AS headers,
    size.stored::integer AS stored,
    (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::bigint AS oldest_running,
    -- Not the snapshot's xmax, which is the first that has not ended.
    (
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            + age(pg_snapshot_xmin(pg_current_snapshot())::xid)
    )::bigint AS next_id,
    (SELECT date_part('epoch', clock_timestamp()) - date_part('epoch', statement_timestamp()))::double precision AS took
FROM
    (SELECT 1) AS one
    LEFT JOIN taken AS t ON true,
    LATERAL (SELECT coalesce(pg_column_size(t.message), 0) + coalesce(pg_column_size(t.headers), 0) AS stored) AS size;

-- name: ReadID :many
-- ReadID is Read for those of the ids that are visible.
WITH taken AS (
    UPDATE pgmq.template_queue AS q
    SET
        vt = statement_timestamp() + sqlc.arg('vt')::interval,
        read_ct = q.read_ct + 1,
        last_read_at = statement_timestamp()
    WHERE q.msg_id = ANY (ARRAY(
        SELECT msg_id
        FROM pgmq.template_queue
        WHERE msg_id = ANY (sqlc.arg('msg_ids')::bigint[]) AND vt <= statement_timestamp()
        ORDER BY msg_id
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
)
SELECT
    t.msg_id, t.read_ct, t.enqueued_at, t.last_read_at, t.vt,
    (CASE WHEN size.stored <= sqlc.arg('apart')::integer THEN t.message END)::jsonb AS message,
    (CASE WHEN size.stored <= sqlc.arg('apart')::integer THEN t.headers END)::jsonb AS headers,
    size.stored::integer AS stored
FROM
    taken AS t,
    LATERAL (SELECT coalesce(pg_column_size(t.message), 0) + coalesce(pg_column_size(t.headers), 0) AS stored) AS size;

-- name: Pop :many
-- Pop removes up to n visible messages and returns them: the oldest from the id
-- first on, in no order. There is always a row, with found and took as in Read.
WITH taken AS (
    DELETE FROM pgmq.template_queue AS q
    WHERE q.msg_id = ANY (ARRAY(
        SELECT msg_id
        FROM pgmq.template_queue
        WHERE msg_id >= sqlc.arg('first')::bigint AND vt <= statement_timestamp()
        ORDER BY msg_id
        LIMIT sqlc.arg('n')::integer
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
)
SELECT
    (t.msg_id IS NOT NULL)::boolean AS found,
    coalesce(t.msg_id, 0)::bigint AS msg_id,
    coalesce(t.read_ct, 0)::integer AS read_ct,
    coalesce(t.enqueued_at, statement_timestamp())::timestamptz AS enqueued_at,
    t.last_read_at,
    coalesce(t.vt, statement_timestamp())::timestamptz AS vt,
    t.message,
    t.headers,
    (SELECT date_part('epoch', clock_timestamp()) - date_part('epoch', statement_timestamp()))::double precision AS took
FROM
    (SELECT 1) AS one
    LEFT JOIN taken AS t ON true;

-- name: Scan :one
-- Scan returns which messages, from the id first on and below the id before, are
-- visible or fall due within a time: the visible ones by id, then the others by
-- the seconds until they are due; at most as many as asked for. Last is the
-- highest id, 0 for none; beyond is the lowest from before on, or before itself for
-- none, and is looked for only on request. Oldest_running, next_id and took are as
-- in Read. Not for use in a transaction that has run other statements before.
SELECT
    coalesce(array_agg(soon.msg_id ORDER BY soon.due_at NULLS FIRST, soon.msg_id), '{}')::bigint[] AS msg_ids,
    coalesce(array_agg(
        coalesce(date_part('epoch', soon.due_at) - date_part('epoch', statement_timestamp()), 0)
        ORDER BY soon.due_at NULLS FIRST, soon.msg_id
    ), '{}')::double precision[] AS due_ins,
    coalesce((
        SELECT max(msg_id)
        FROM pgmq.template_queue
        WHERE msg_id >= sqlc.arg('first')::bigint AND msg_id < sqlc.arg('before')::bigint
    ), 0)::bigint AS last,
    (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::bigint AS oldest_running,
    (
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            + age(pg_snapshot_xmin(pg_current_snapshot())::xid)
    )::bigint AS next_id,
    coalesce((
        SELECT msg_id
        FROM pgmq.template_queue
        WHERE sqlc.arg('look_beyond')::boolean AND msg_id >= sqlc.arg('before')::bigint
        ORDER BY msg_id
        LIMIT 1
    ), sqlc.arg('before')::bigint)::bigint AS beyond,
    (date_part('epoch', clock_timestamp()) - date_part('epoch', statement_timestamp()))::double precision AS took
FROM (
    SELECT msg_id, CASE WHEN vt > statement_timestamp() THEN vt END AS due_at
    FROM pgmq.template_queue
    WHERE msg_id >= sqlc.arg('first')::bigint AND msg_id < sqlc.arg('before')::bigint
        AND vt <= statement_timestamp() + sqlc.arg('within')::interval
    ORDER BY due_at NULLS FIRST, msg_id
    LIMIT sqlc.arg('most')::integer
) AS soon;

-- name: Delete :many
-- Delete removes the messages whose receipts still hold, and returns their ids.
-- The ids must be in order, each once.
--
-- A receipt is read_ct, which rises with every read, and last_read_at, which
-- dates it. A row that was read again since does not match, and is left alone.
DELETE FROM pgmq.template_queue AS q
WHERE q.msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
    -- No join, whose plan may turn into a scan of the table: width_bucket finds
    -- the place of an id in the array.
    AND q.read_ct = (sqlc.arg('read_cts')::integer[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
    AND q.last_read_at = (sqlc.arg('last_read_ats')::timestamptz[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
RETURNING q.msg_id;

-- name: Archive :many
-- Archive moves the messages whose receipts still hold, all of them or none, and
-- returns their ids.
-- The ids must be in order, each once.
WITH moved AS (
    DELETE FROM pgmq.template_queue AS q
    WHERE q.msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
        AND q.read_ct = (sqlc.arg('read_cts')::integer[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
        AND q.last_read_at = (sqlc.arg('last_read_ats')::timestamptz[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
),
stored AS (
    INSERT INTO pgmq.template_archive (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
    SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
    FROM moved
    RETURNING 1
)
SELECT msg_id
FROM moved
-- A sub-select, so that it is asked once.
WHERE (
    SELECT pgmq._all_stored(
        (parse_ident('pgmq.template_archive'))[2], (SELECT count(*) FROM stored), (SELECT count(*) FROM moved)
    )
);

-- name: SetVT :many
-- SetVT hides the messages whose receipts still hold for another while, from
-- now on. Their receipts stay good. The ids must be in order, each once.
UPDATE pgmq.template_queue AS q
SET vt = statement_timestamp() + sqlc.arg('vt')::interval
WHERE q.msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
    AND q.read_ct = (sqlc.arg('read_cts')::integer[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
    AND q.last_read_at = (sqlc.arg('last_read_ats')::timestamptz[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
RETURNING q.msg_id, q.vt;

-- name: Postpone :many
-- Postpone hides the messages whose receipts still hold for a delay each, in
-- seconds from now, and returns their ids. Uncounted is 1 for a read that does not
-- count, and else 0. The ids must be in order, each once.
UPDATE pgmq.template_queue AS q
SET
    vt = statement_timestamp()
        + (sqlc.arg('delays')::double precision[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])] * interval '1 second',
    read_ct = q.read_ct - (sqlc.arg('uncounted')::integer[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
WHERE q.msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
    AND q.read_ct = (sqlc.arg('read_cts')::integer[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
    AND q.last_read_at = (sqlc.arg('last_read_ats')::timestamptz[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
RETURNING q.msg_id;

-- name: GiveBack :many
-- GiveBack makes the messages whose receipts still hold visible again as if they
-- had not been read, and returns their ids. Their receipts hold no longer. The
-- ids must be in order, each once.
UPDATE pgmq.template_queue AS q
SET
    vt = statement_timestamp(),
    read_ct = q.read_ct - 1
WHERE q.msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
    AND q.read_ct = (sqlc.arg('read_cts')::integer[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
    AND q.last_read_at = (sqlc.arg('last_read_ats')::timestamptz[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
RETURNING q.msg_id;

-- name: GiveBackFetch :many
-- GiveBackFetch is GiveBack for what a read hid whose answer was lost: all that was
-- read from the id first on, in the seconds until now, and hidden for exactly this
-- long. A lease that was extended since does not match.
UPDATE pgmq.template_queue AS q
SET
    vt = statement_timestamp(),
    read_ct = q.read_ct - 1
WHERE q.msg_id = ANY (ARRAY(
    SELECT msg_id
    FROM pgmq.template_queue
    WHERE msg_id >= sqlc.arg('first')::bigint
        AND read_ct > 0
        AND last_read_at >= statement_timestamp() - sqlc.arg('within')::interval
        AND vt = last_read_at + sqlc.arg('vt')::interval
    ORDER BY msg_id
    FOR UPDATE SKIP LOCKED
))
RETURNING q.msg_id, q.read_ct;

-- name: Existing :many
-- Existing returns those of the ids that are in the queue, hidden or not, and
-- whether their receipts hold. The ids must be in order, each once.
SELECT
    q.msg_id,
    coalesce(
        q.read_ct = (sqlc.arg('read_cts')::integer[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])]
        AND q.last_read_at = (sqlc.arg('last_read_ats')::timestamptz[])[width_bucket(q.msg_id, sqlc.arg('msg_ids')::bigint[])],
        false
    )::boolean AS held
FROM pgmq.template_queue AS q
WHERE q.msg_id = ANY (sqlc.arg('msg_ids')::bigint[]);

-- name: ArchivePopped :execrows
-- ArchivePopped archives a message that Pop has removed from the queue.
INSERT INTO pgmq.template_archive (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
VALUES (
    sqlc.arg('msg_id')::bigint,
    sqlc.arg('read_ct')::integer,
    sqlc.arg('enqueued_at')::timestamptz,
    sqlc.narg('last_read_at')::timestamptz,
    sqlc.arg('vt')::timestamptz,
    sqlc.arg('message')::jsonb,
    sqlc.arg('headers')::jsonb
);

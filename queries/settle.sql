-- name: Delete :many
-- Delete removes the messages whose receipts still hold, and returns their ids.
-- A receipt is read_ct, which rises with every read, and last_read_at, which
-- dates it. A row that was read again since does not match, and is left alone.
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at
    FROM ROWS FROM (
        unnest(sqlc.arg('msg_ids')::bigint[]),
        unnest(sqlc.arg('read_cts')::integer[]),
        unnest(sqlc.arg('last_read_ats')::timestamptz[])
    ) AS r (msg_id, read_ct, last_read_at)
)
DELETE FROM pgmq.template_queue AS q
USING receipt AS r
WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
RETURNING q.msg_id;

-- name: Archive :many
-- Archive moves the messages whose receipts still hold, and returns their ids.
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at
    FROM ROWS FROM (
        unnest(sqlc.arg('msg_ids')::bigint[]),
        unnest(sqlc.arg('read_cts')::integer[]),
        unnest(sqlc.arg('last_read_ats')::timestamptz[])
    ) AS r (msg_id, read_ct, last_read_at)
),
moved AS (
    DELETE FROM pgmq.template_queue AS q
    USING receipt AS r
    WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
)
INSERT INTO pgmq.template_archive (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
FROM moved
RETURNING msg_id;

-- name: SetVT :many
-- SetVT hides the messages whose receipts still hold for another while, from
-- now on. Their receipts stay good.
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at
    FROM ROWS FROM (
        unnest(sqlc.arg('msg_ids')::bigint[]),
        unnest(sqlc.arg('read_cts')::integer[]),
        unnest(sqlc.arg('last_read_ats')::timestamptz[])
    ) AS r (msg_id, read_ct, last_read_at)
)
UPDATE pgmq.template_queue AS q
SET vt = statement_timestamp() + sqlc.arg('vt')::interval
FROM receipt AS r
WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
RETURNING q.msg_id, q.vt;

-- name: Existing :many
-- Existing returns those of the ids that are in the queue, hidden or not.
SELECT msg_id
FROM pgmq.template_queue
WHERE msg_id = ANY (sqlc.arg('msg_ids')::bigint[]);

-- name: Bury :exec
-- Bury archives a message that is in the queue no longer.
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

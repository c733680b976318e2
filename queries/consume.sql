-- name: GiveBack :many
-- GiveBack makes the messages whose receipts still hold visible again as if they
-- had not been read, and returns their ids. Their receipts hold no longer.
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at
    FROM ROWS FROM (
        unnest(sqlc.arg('msg_ids')::bigint[]),
        unnest(sqlc.arg('read_cts')::integer[]),
        unnest(sqlc.arg('last_read_ats')::timestamptz[])
    ) AS r (msg_id, read_ct, last_read_at)
)
UPDATE pgmq.template_queue AS q
SET
    vt = statement_timestamp(),
    read_ct = q.read_ct - 1
FROM receipt AS r
WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
RETURNING q.msg_id;

-- name: Postpone :many
-- Postpone hides the messages whose receipts still hold for a delay each, in
-- seconds from now, and returns their ids.
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at, statement_timestamp() + r.delay * interval '1 second' AS vt
    FROM ROWS FROM (
        unnest(sqlc.arg('msg_ids')::bigint[]),
        unnest(sqlc.arg('read_cts')::integer[]),
        unnest(sqlc.arg('last_read_ats')::timestamptz[]),
        unnest(sqlc.arg('delays')::double precision[])
    ) AS r (msg_id, read_ct, last_read_at, delay)
)
UPDATE pgmq.template_queue AS q
SET vt = r.vt
FROM receipt AS r
WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
RETURNING q.msg_id;

-- name: DeadLetter :many
-- DeadLetter moves the messages of the source whose receipts still hold to the
-- target, or to the archive when that is NULL, and returns the ids they had.
-- Each gets its note, a JSON object, in the header x-pgmq-dead-letter.
SELECT pgmq._bury(
    sqlc.arg('source')::text,
    sqlc.narg('target')::text,
    sqlc.arg('msg_ids')::bigint[],
    sqlc.arg('read_cts')::integer[],
    sqlc.arg('last_read_ats')::timestamptz[],
    sqlc.arg('notes')::jsonb[]
)::bigint AS msg_id;

-- name: Redrive :many
-- Redrive moves up to n visible messages from the source to the target, oldest
-- first, and returns the ids they had. NULL is no condition.
SELECT pgmq._redrive(
    sqlc.arg('source')::text,
    sqlc.arg('target')::text,
    sqlc.arg('n')::integer,
    sqlc.arg('only_ids')::bigint[],
    sqlc.narg('body')::jsonb,
    sqlc.narg('reason')::text,
    sqlc.narg('until')::timestamptz
)::bigint AS msg_id;

-- name: DeadLetter :many
-- DeadLetter moves the messages of the source whose receipts still hold to the
-- target, or to the archive when that is NULL, and returns the ids they had.
-- Each gets its note, a JSON object, in the header x-pgmq-dead-letter.
SELECT pgmq._dead_letter(
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

-- name: DeadLetters :many
-- DeadLetters returns up to n visible messages behind an id, oldest first, each
-- with the queue that it died in: '' if it names none. They came no later than
-- until; NULL is no condition.
SELECT
    msg_id,
    coalesce(headers #>> '{x-pgmq-dead-letter, queue}', '')::text AS origin
FROM pgmq.template_queue
WHERE msg_id > sqlc.arg('after_id')::bigint
    AND vt <= statement_timestamp()
    AND enqueued_at <= sqlc.arg('until')::timestamptz
    AND (sqlc.narg('body')::jsonb IS NULL OR message @> sqlc.narg('body')::jsonb)
    AND (sqlc.narg('reason')::text IS NULL OR headers #>> '{x-pgmq-dead-letter, reason}' = sqlc.narg('reason')::text)
ORDER BY msg_id
LIMIT sqlc.arg('n')::integer;

-- name: DeadLettersByID :many
-- DeadLettersByID is DeadLetters for these ids. A query of its own, so that the
-- planner sees the ids.
SELECT
    msg_id,
    coalesce(headers #>> '{x-pgmq-dead-letter, queue}', '')::text AS origin
FROM pgmq.template_queue
WHERE msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
    AND vt <= statement_timestamp()
    AND enqueued_at <= sqlc.arg('until')::timestamptz
    AND (sqlc.narg('body')::jsonb IS NULL OR message @> sqlc.narg('body')::jsonb)
    AND (sqlc.narg('reason')::text IS NULL OR headers #>> '{x-pgmq-dead-letter, reason}' = sqlc.narg('reason')::text)
ORDER BY msg_id;

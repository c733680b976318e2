-- name: Send :one
-- Send adds one message and returns its id. It is visible at the given time,
-- or else after the delay.
INSERT INTO pgmq.template_queue (vt, message, headers)
VALUES (
    coalesce(sqlc.narg('visible_at')::timestamptz, statement_timestamp() + sqlc.arg('delay')::interval),
    sqlc.arg('message')::jsonb,
    sqlc.arg('headers')::jsonb
)
RETURNING msg_id;

-- name: SendBatch :many
-- SendBatch adds any number of messages in one statement, all or none. Ids are
-- drawn, and returned, in the order of the array.
INSERT INTO pgmq.template_queue (vt, message, headers)
SELECT
    coalesce(sqlc.narg('visible_at')::timestamptz, statement_timestamp() + sqlc.arg('delay')::interval),
    body.message,
    sqlc.arg('headers')::jsonb
FROM ROWS FROM (unnest(sqlc.arg('messages')::jsonb[])) WITH ORDINALITY AS body (message, ord)
ORDER BY body.ord
RETURNING msg_id;

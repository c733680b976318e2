-- name: Peek :many
-- Peek returns up to n messages from an id on, oldest first, hidden or not, and
-- changes nothing.
SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
FROM pgmq.template_queue
WHERE msg_id >= sqlc.arg('from_id')::bigint
ORDER BY msg_id
LIMIT sqlc.arg('n')::integer;

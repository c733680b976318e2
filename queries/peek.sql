-- name: Peek :many
-- Peek returns up to n messages between two ids, oldest first, hidden or not, and
-- changes nothing. Apart and stored are as in Read.
SELECT
    q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt,
    (CASE WHEN s.stored <= sqlc.arg('apart')::integer THEN q.message END)::jsonb AS message,
    (CASE WHEN s.stored <= sqlc.arg('apart')::integer THEN q.headers END)::jsonb AS headers,
    s.stored::integer AS stored
FROM
    pgmq.template_queue AS q,
    LATERAL (
        SELECT coalesce(pg_column_size(q.message), 0) + coalesce(pg_column_size(q.headers), 0) AS stored
    ) AS s
WHERE q.msg_id BETWEEN sqlc.arg('from_id')::bigint AND sqlc.arg('to_id')::bigint
ORDER BY q.msg_id
LIMIT sqlc.arg('n')::integer;

-- name: Read :many
-- Read hides up to n visible messages for the visibility timeout and returns
-- them, oldest first in what it picks but in no order among themselves. What
-- another reader is taking at this moment is skipped, not waited for.
WITH next AS MATERIALIZED (
    SELECT msg_id
    FROM pgmq.template_queue
    WHERE vt <= statement_timestamp()
    ORDER BY msg_id
    LIMIT sqlc.arg('n')::integer
    FOR UPDATE SKIP LOCKED
)
UPDATE pgmq.template_queue AS q
SET
    vt = statement_timestamp() + sqlc.arg('vt')::interval,
    read_ct = q.read_ct + 1,
    last_read_at = statement_timestamp()
FROM next
WHERE q.msg_id = next.msg_id
RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers;

-- name: Pop :many
-- Pop removes up to n visible messages and returns them, in no order.
WITH next AS MATERIALIZED (
    SELECT msg_id
    FROM pgmq.template_queue
    WHERE vt <= statement_timestamp()
    ORDER BY msg_id
    LIMIT sqlc.arg('n')::integer
    FOR UPDATE SKIP LOCKED
)
DELETE FROM pgmq.template_queue AS q
USING next
WHERE q.msg_id = next.msg_id
RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers;

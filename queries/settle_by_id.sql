-- name: DeleteID :many
-- DeleteID removes messages and returns the ids of those that existed. Like all
-- that goes by id it asks for no receipt: any caller can settle any message.
DELETE FROM pgmq.template_queue
WHERE msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
RETURNING msg_id;

-- name: ArchiveID :many
-- ArchiveID moves messages to the archive, all of them or none, and returns the ids
-- of those that existed.
WITH moved AS (
    DELETE FROM pgmq.template_queue
    WHERE msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
    RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
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

-- name: SetVTID :many
-- SetVTID hides messages for a while, from now on, and returns the ids of those
-- that existed.
UPDATE pgmq.template_queue
SET vt = statement_timestamp() + sqlc.arg('vt')::interval
WHERE msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
RETURNING msg_id;

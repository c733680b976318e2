-- name: Figures :many
-- Figures are what is in each of these queues, or the SQLSTATE and the message of
-- the error that reading it ended with. Sizes are in bytes. The estimate of the
-- archive's messages is -1 when there is none yet. A time means nothing when what it
-- is of is not there. The last id counts sends that were rolled back.
SELECT
    look.queue_name::text AS queue_name,
    coalesce(look.code, '')::text AS code,
    coalesce(look.problem, '')::text AS problem,
    coalesce((look.figures).at, statement_timestamp())::timestamptz AS at,
    coalesce((look.figures).length, 0)::bigint AS length,
    coalesce((look.figures).visible, 0)::bigint AS visible,
    coalesce((look.figures).delayed, 0)::bigint AS delayed,
    coalesce((look.figures).max_read_ct, 0)::integer AS max_read_ct,
    coalesce((look.figures).oldest_visible, to_timestamp(0))::timestamptz AS oldest_visible,
    coalesce((look.figures).newest, to_timestamp(0))::timestamptz AS newest,
    coalesce((look.figures).last_id, 0)::bigint AS last_id,
    coalesce((look.figures).estimated, false)::boolean AS estimated,
    coalesce((look.figures).deleted, 0)::bigint AS deleted,
    coalesce((look.figures).table_bytes, 0)::bigint AS table_bytes,
    coalesce((look.figures).archive_bytes, 0)::bigint AS archive_bytes,
    coalesce((look.figures).archive_estimate, -1)::bigint AS archive_estimate
FROM pgmq._look_at(sqlc.arg('queue_names')::text[]) AS look;

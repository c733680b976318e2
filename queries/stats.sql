-- name: Tables :many
-- Tables lists a queue, or by name every queue when the name is NULL, with what
-- the server knows of its tables without reading them. Sizes are in bytes. The
-- estimate of the archive's messages is -1 when there is none yet.
SELECT
    m.queue_name,
    s.found::boolean AS found,
    s.blocks::bigint AS blocks,
    s.size::bigint AS size,
    s.deleted::bigint AS deleted,
    s.archive_size::bigint AS archive_size,
    s.archive_estimate::bigint AS archive_estimate
FROM
    pgmq.meta AS m,
    LATERAL (
        SELECT
            coalesce(bool_or(prefix = 'q'), false) AS found,
            coalesce(sum(blocks) FILTER (WHERE prefix = 'q'), 0) AS blocks,
            coalesce(sum(pg_total_relation_size(t.relid)) FILTER (WHERE prefix = 'q'), 0) AS size,
            coalesce(sum(pg_stat_get_tuples_deleted(t.relid)) FILTER (WHERE prefix = 'q'), 0) AS deleted,
            coalesce(sum(pg_total_relation_size(t.relid)) FILTER (WHERE prefix = 'a'), 0) AS archive_size,
            coalesce(CASE WHEN bool_or(prefix = 'a' AND blocks > 0 AND (c.relpages = 0 OR c.reltuples < 0)) THEN -1 ELSE
                sum(CASE WHEN blocks > 0 THEN round(c.reltuples / nullif(c.relpages, 0) * blocks) ELSE 0 END) FILTER (WHERE prefix = 'a')
            END, 0) AS archive_estimate
        FROM
            unnest('{q, a}'::text[]) AS prefix,
            LATERAL (SELECT format('pgmq.%I', pgmq.format_table_name(m.queue_name, prefix)) AS name) AS r,
            LATERAL (SELECT to_regclass(name) AS relid UNION SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = to_regclass(name)) AS t
            JOIN pg_catalog.pg_class AS c ON c.oid = t.relid,
            LATERAL (SELECT pg_relation_size(t.relid) / current_setting('block_size')::integer AS blocks) AS b
    ) AS s
WHERE sqlc.narg('queue_name')::text IS NULL
    OR pgmq.format_table_name(m.queue_name, 'q') = pgmq.format_table_name(sqlc.narg('queue_name')::text, 'q')
ORDER BY m.queue_name;

-- name: Metrics :one
-- Metrics counts the messages of a queue in so many percent of its blocks, and
-- concludes to the whole. The two times mean nothing when what they are of is not
-- there. The last id counts sends that were rolled back.
SELECT
    round(count(*) * 100 / sqlc.arg('percent')::double precision)::bigint AS length,
    round(count(*) FILTER (WHERE vt <= statement_timestamp()) * 100 / sqlc.arg('percent')::double precision)::bigint AS visible,
    round(count(*) FILTER (WHERE vt > statement_timestamp() AND read_ct = 0) * 100 / sqlc.arg('percent')::double precision)::bigint AS delayed,
    coalesce(max(read_ct), 0)::integer AS max_read_ct,
    coalesce(min(enqueued_at) FILTER (WHERE vt <= statement_timestamp()), to_timestamp(0))::timestamptz AS oldest_visible,
    coalesce(max(enqueued_at), to_timestamp(0))::timestamptz AS newest,
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('pgmq.template_queue', 'msg_id')::regclass), 0)::bigint AS last_id,
    statement_timestamp()::timestamptz AS at
FROM pgmq.template_queue TABLESAMPLE SYSTEM (sqlc.arg('percent')::double precision);

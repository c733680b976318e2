-- name: Stored :many
-- Stored returns how each queue whose tables are there is set up, by name. The
-- interval of announcements is -1 where there are none.
SELECT
    m.queue_name,
    m.is_unlogged,
    coalesce(p.partition_interval, '')::text AS partition_interval,
    coalesce(p.retention_interval, '')::text AS retention_interval,
    coalesce(p.premake, 0)::integer AS premake,
    coalesce(p.drop_unread, false)::boolean AS drop_unread,
    coalesce(n.throttle_interval_ms, -1)::integer AS throttle_interval_ms,
    ARRAY(
        SELECT b.pattern
        FROM pgmq.topic_bindings AS b
        WHERE b.queue_name = m.queue_name
        ORDER BY b.pattern COLLATE "C"
    )::text[] AS topics
FROM pgmq.meta AS m
LEFT JOIN pgmq.partitioned_tables AS p ON p.queue_name = m.queue_name AND p.prefix = 'q'
LEFT JOIN pgmq.notify_insert_throttle AS n ON n.queue_name = m.queue_name
WHERE to_regclass(format('pgmq.%I', pg_catalog.lower('q_' || m.queue_name))) IS NOT NULL
    AND to_regclass(format('pgmq.%I', pg_catalog.lower('a_' || m.queue_name))) IS NOT NULL
ORDER BY m.queue_name;

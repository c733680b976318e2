-- name: Listed :one
-- Listed is the entry of a queue in the list of them.
SELECT queue_name, is_partitioned, is_unlogged, created_at
FROM pgmq.meta
WHERE pg_catalog.lower(queue_name) = pg_catalog.lower(sqlc.arg('queue_name')::text)
ORDER BY queue_name <> sqlc.arg('queue_name')::text
LIMIT 1;

-- name: Relations :many
-- Relations are the table of a queue and that of its archive, each with its
-- partitions. Sizes are in bytes. What was written is since the server last reset
-- its statistics.
SELECT
    prefix::text AS prefix,
    table_name::text AS name,
    pg_get_userbyid(c.relowner)::text AS owner,
    s.partitions::bigint AS partitions,
    s.heap::bigint AS heap,
    s.indexes::bigint AS indexes,
    s.options::text AS options,
    s.dead::bigint AS dead,
    s.inserted::bigint AS inserted,
    s.updated::bigint AS updated,
    s.deleted::bigint AS deleted,
    s.vacuumed_at::timestamptz AS vacuumed_at,
    s.autovacuumed_at::timestamptz AS autovacuumed_at,
    s.analyzed_at::timestamptz AS analyzed_at
FROM
    unnest('{q, a}'::text[]) AS prefix,
    LATERAL pg_catalog.lower(prefix || '_' || sqlc.arg('queue_name')::text) AS table_name,
    LATERAL (SELECT format('pgmq.%I', table_name) AS root) AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(root),
    LATERAL (
        SELECT
            count(*) - 1 AS partitions,
            sum(pg_table_size(t.oid)) AS heap,
            sum(pg_indexes_size(t.oid)) AS indexes,
            coalesce(max(array_to_string(l.reloptions, ', ')), '') AS options,
            sum(pg_stat_get_dead_tuples(t.oid)) AS dead,
            sum(pg_stat_get_tuples_inserted(t.oid)) AS inserted,
            sum(pg_stat_get_tuples_updated(t.oid)) AS updated,
            sum(pg_stat_get_tuples_deleted(t.oid)) AS deleted,
            coalesce(max(pg_stat_get_last_vacuum_time(t.oid)), to_timestamp(0)) AS vacuumed_at,
            coalesce(max(pg_stat_get_last_autovacuum_time(t.oid)), to_timestamp(0)) AS autovacuumed_at,
            coalesce(greatest(max(pg_stat_get_last_analyze_time(t.oid)), max(pg_stat_get_last_autoanalyze_time(t.oid))), to_timestamp(0)) AS analyzed_at
        FROM
            (SELECT to_regclass(root)::oid AS oid UNION SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = to_regclass(root)) AS t
            JOIN pg_catalog.pg_class AS l ON l.oid = t.oid
    ) AS s
ORDER BY prefix DESC;

-- name: Indexes :many
-- Indexes are those of a queue and of its archive, of partitions with theirs.
SELECT
    prefix::text AS prefix,
    x.relname::text AS name,
    pg_get_indexdef(x.oid)::text AS definition,
    i.indisvalid AS valid,
    (pg_relation_size(x.oid) + coalesce((SELECT sum(pg_relation_size(inhrelid)) FROM pg_catalog.pg_inherits WHERE inhparent = x.oid), 0))::bigint AS size
FROM
    unnest('{q, a}'::text[]) AS prefix,
    LATERAL (SELECT format('pgmq.%I', pg_catalog.lower(prefix || '_' || sqlc.arg('queue_name')::text)) AS root) AS r
    JOIN pg_catalog.pg_index AS i ON i.indrelid = to_regclass(root)
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
ORDER BY prefix DESC, i.indisprimary DESC, x.relname;

-- name: Grants :many
-- Grants tell what roles other than the owner may do with a queue and with its
-- archive, on the table or on some of its columns.
SELECT
    prefix::text AS prefix,
    coalesce(role.rolname::text, 'PUBLIC')::text AS grantee,
    g.privileges::text AS privileges
FROM
    unnest('{q, a}'::text[]) AS prefix,
    LATERAL (SELECT format('pgmq.%I', pg_catalog.lower(prefix || '_' || sqlc.arg('queue_name')::text)) AS root) AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(root),
    LATERAL (
        SELECT p.grantee, string_agg(p.privilege_type || coalesce(' (' || p.columns || ')', ''), ', ' ORDER BY p.columns IS NOT NULL, p.privilege_type) AS privileges
        FROM (
            SELECT acl.grantee, acl.privilege_type, NULL AS columns
            FROM aclexplode(c.relacl) AS acl (grantor, grantee, privilege_type, is_grantable)
            UNION ALL
            SELECT acl.grantee, acl.privilege_type, string_agg(a.attname::text, ', ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a, aclexplode(a.attacl) AS acl (grantor, grantee, privilege_type, is_grantable)
            WHERE a.attrelid = c.oid AND NOT a.attisdropped
            GROUP BY acl.grantee, acl.privilege_type
        ) AS p
        WHERE p.grantee <> c.relowner
        GROUP BY p.grantee
    ) AS g
    LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = g.grantee
ORDER BY prefix DESC, role.rolname IS NOT NULL, role.rolname;

-- name: PartitionSettings :many
-- PartitionSettings tell how the tables of a queue are partitioned. Without a
-- retention, partitions stay.
SELECT prefix, partition_interval, coalesce(retention_interval, '')::text AS retention_interval, premake, drop_unread
FROM pgmq.partitioned_tables
WHERE queue_name = sqlc.arg('queue_name')::text
ORDER BY prefix DESC;

-- name: NotifySettings :many
-- NotifySettings tell how a queue is announced; there are none when it is not.
SELECT throttle_interval_ms, last_notified_at
FROM pgmq.notify_insert_throttle
WHERE queue_name = sqlc.arg('queue_name')::text;

-- name: Topics :many
-- Topics are the patterns that a queue is bound to.
SELECT pattern
FROM pgmq.topic_bindings
WHERE queue_name = sqlc.arg('queue_name')::text
ORDER BY pattern COLLATE "C";

-- name: Origins :many
-- Origins tell which queues the first 1,000 messages died in, if they did.
SELECT coalesce(source, '')::text AS source, count(*)::bigint AS messages
FROM (
    SELECT headers #>> '{x-pgmq-dead-letter, queue}' AS source
    FROM pgmq.template_queue
    ORDER BY msg_id
    LIMIT 1000
) AS t
GROUP BY source
ORDER BY messages DESC, source;

-- Both tables of each listed queue, with facts from the system catalogs and the
-- statistics. The query waits for no lock on a queue.
WITH listed AS (
    SELECT m.queue_name::text AS queue, prefix, m.is_partitioned, m.created_at, pg_catalog.lower(prefix || '_' || m.queue_name) AS name
    FROM pgmq.meta AS m, unnest('{q, a}'::text[]) AS prefix
),
tables AS (
    SELECT l.*, c.oid, c.relkind, c.relpersistence
    FROM listed AS l
    LEFT JOIN pg_class AS c
        ON c.relnamespace = 'pgmq'::regnamespace AND c.relname = l.name AND c.relkind IN ('r', 'p')
),
-- The table itself, and its partitions.
members AS (
    SELECT oid AS root, oid FROM tables WHERE oid IS NOT NULL
    UNION
    SELECT t.oid, i.inhrelid FROM tables AS t JOIN pg_inherits AS i ON i.inhparent = t.oid
),
stored AS (
    SELECT
        root,
        array_agg(format('pgmq.%I', relname) ORDER BY relname) FILTER (WHERE EXISTS (
            SELECT FROM unnest(c.reloptions) AS had
            WHERE had LIKE E'autovacuum\\_enabled=%' AND NOT split_part(had, '=', 2)::boolean
        )) AS unvacuumed,
        -- A parameter with another value was chosen by somebody, and is fine.
        array_agg(format('pgmq.%I', relname) ORDER BY relname) FILTER (WHERE EXISTS (
            SELECT FROM pg_class AS template, unnest(template.reloptions) AS wanted
            WHERE template.oid = 'pgmq.template_queue'::regclass AND NOT EXISTS (
                SELECT FROM unnest(c.reloptions) AS had WHERE split_part(had, '=', 1) = split_part(wanted, '=', 1)
            )
        )) AS lacking,
        sum(pg_stat_get_dead_tuples(c.oid))::bigint AS dead,
        sum(pg_stat_get_live_tuples(c.oid))::bigint AS live,
        max(greatest(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid))) AS vacuumed_at,
        -- Both numbers are of the last vacuum: asking for the size would wait for a lock.
        (sum(relpages) * current_setting('block_size')::integer)::bigint AS bytes,
        sum(greatest(reltuples, 0))::bigint AS rows
    FROM members AS m JOIN pg_class AS c ON c.oid = m.oid AND c.relkind = 'r'
    GROUP BY root
),
indexes AS (
    SELECT
        t.oid AS root,
        bool_or(i.indrelid = t.oid AND i.indisvalid AND i.indpred IS NULL AND first.attname = 'msg_id') AS by_id,
        bool_or(i.indrelid = t.oid AND i.indisvalid AND i.indpred IS NULL AND first.attname = 'archived_at') AS by_time,
        -- pgmq._has_group_index compares the expression, but waits for a lock.
        bool_or(i.indrelid = t.oid AND i.indisvalid AND i.indnkeyatts = 2 AND i.indkey[0] = 0 AND second.attname = 'msg_id') AS by_group,
        -- An index that is being built is not valid yet.
        array_agg(format('pgmq.%I', c.relname) ORDER BY c.relname) FILTER (
            WHERE NOT i.indisvalid AND i.indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index)
        ) AS invalid,
        array_agg(format('pgmq.%I', c.relname) ORDER BY c.relname) FILTER (
            WHERE t.prefix = 'q' AND i.indrelid = t.oid AND NOT i.indisunique AND i.indnatts = 1 AND (
                first.attname = 'vt' OR first.attname = 'headers' AND c.relname = t.name || '_fifo_idx'
            )
        ) AS needless
    FROM tables AS t
    JOIN members AS m ON m.root = t.oid
    JOIN pg_index AS i ON i.indrelid = m.oid
    JOIN pg_class AS c ON c.oid = i.indexrelid
    LEFT JOIN pg_attribute AS first ON first.attrelid = i.indrelid AND first.attnum = i.indkey[0]
    LEFT JOIN pg_attribute AS second ON second.attrelid = i.indrelid AND second.attnum = i.indkey[1]
    GROUP BY t.oid
)
SELECT
    t.queue, t.prefix, format('pgmq.%I', t.name) AS name, t.created_at, quote_literal(t.queue) AS literal,
    t.oid IS NOT NULL AS "exists", coalesce(t.relkind = 'p', t.is_partitioned) AS partitioned,
    coalesce(t.relpersistence = 'u', false) AS unlogged,
    coalesce(s.unvacuumed, '{}') AS unvacuumed,
    CASE t.prefix WHEN 'q' THEN coalesce(s.lacking, '{}') ELSE '{}' END AS lacking,
    (
        SELECT string_agg(option, ', ')
        FROM pg_class, unnest(reloptions) AS option
        WHERE oid = 'pgmq.template_queue'::regclass
    ) AS wanted,
    coalesce(s.dead, 0) AS dead, coalesce(s.live, 0) AS live, s.vacuumed_at,
    coalesce(s.bytes, 0) AS bytes, coalesce(s.rows, 0) AS rows,
    coalesce(i.by_id, false) AS by_id, coalesce(i.by_time, false) AS by_time,
    t.prefix = 'a' OR coalesce(i.by_group, false) AS by_group,
    coalesce(i.invalid, '{}') AS invalid, coalesce(i.needless, '{}') AS needless,
    clock_timestamp() AS now
FROM tables AS t
LEFT JOIN stored AS s ON s.root = t.oid
LEFT JOIN indexes AS i ON i.root = t.oid
ORDER BY t.queue, t.prefix DESC

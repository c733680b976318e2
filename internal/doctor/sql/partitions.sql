-- For each partitioned table of a listed queue that pg_partman does not maintain:
-- whether it has settings, whether the partition for current messages and the next
-- one exist, and the number of messages in the default partition.
SELECT
    m.queue_name::text AS queue, quote_literal(m.queue_name) AS literal, format('pgmq.%I', c.relname) AS name,
    t.queue_name IS NOT NULL AS maintained,
    coalesce(this.missing, false) AS lacks_this, coalesce(next.missing, false) AS lacks_next,
    -- The first number stays too high when a delete is counted before its insert,
    -- the second when an insert is rolled back.
    coalesce(least(
        pg_stat_get_live_tuples(nullif(p.partdefid, 0)),
        pg_stat_get_tuples_inserted(nullif(p.partdefid, 0)) - pg_stat_get_tuples_deleted(nullif(p.partdefid, 0))
    ), 0) AS waiting
FROM pgmq.meta AS m
CROSS JOIN unnest('{q, a}'::text[]) AS kind
JOIN pg_class AS c
    ON c.relnamespace = 'pgmq'::regnamespace AND c.relkind = 'p' AND c.relname = pg_catalog.lower(kind || '_' || m.queue_name)::name
JOIN pg_partitioned_table AS p ON p.partrelid = c.oid
LEFT JOIN pgmq.partitioned_tables AS t ON pg_catalog.lower(t.queue_name) = pg_catalog.lower(m.queue_name) AND t.prefix = kind
CROSS JOIN LATERAL pgmq._partition_for(
    c.relname, CASE WHEN t.queue_name IS NOT NULL THEN pgmq._partition_high_water(t.queue_name, t.partition_interval) END,
    t.partition_interval
) AS this
CROSS JOIN LATERAL pgmq._partition_for(c.relname, this.upper, t.partition_interval) AS next
WHERE NOT pgmq._managed_by_partman(c.relname)
ORDER BY m.queue_name, kind DESC

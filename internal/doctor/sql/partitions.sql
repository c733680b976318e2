-- For each table that pgmq.maintain_partitions maintains: whether the partition for
-- current messages and the next one exist, and the number of messages in the default
-- partition.
SELECT
    t.queue_name::text AS queue, quote_literal(t.queue_name) AS literal, format('pgmq.%I', c.relname) AS name,
    to_regclass(format('pgmq.%I', pgmq._partition_name(c.relname, this.part))) IS NULL AS lacks_this,
    to_regclass(format('pgmq.%I', pgmq._partition_name(c.relname, next.part))) IS NULL AS lacks_next,
    -- The first number stays too high when a delete is counted before its insert,
    -- the second when an insert is rolled back.
    coalesce(least(
        pg_stat_get_live_tuples(nullif(p.partdefid, 0)),
        pg_stat_get_tuples_inserted(nullif(p.partdefid, 0)) - pg_stat_get_tuples_deleted(nullif(p.partdefid, 0))
    ), 0) AS waiting
FROM pgmq.partitioned_tables AS t
JOIN pg_class AS c
    ON c.relnamespace = 'pgmq'::regnamespace AND c.relname = pgmq.format_table_name(t.queue_name, t.prefix)
JOIN pg_partitioned_table AS p ON p.partrelid = c.oid,
LATERAL pgmq._partition_bounds(pgmq._partition_high_water(t.queue_name, t.partition_interval), t.partition_interval) AS this,
LATERAL pgmq._partition_bounds(this.upper, t.partition_interval) AS next
WHERE NOT pgmq._managed_by_partman(c.relname)
ORDER BY t.queue_name, t.prefix DESC

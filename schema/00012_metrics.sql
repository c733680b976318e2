-- Metrics: the length of a queue and the ages of its messages, without a scan of a
-- long queue. And the grants to pg_monitor: its members may call pgmq.metrics_all.
-- As in PGMQ they may then read the messages, too; docs/roles.md shows how to grant
-- less.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    IF to_regprocedure('pgmq._adopt_metrics()') IS NOT NULL THEN
        PERFORM pgmq._adopt_metrics();
        DROP FUNCTION pgmq._adopt_metrics();
    END IF;
END $$;
-- +goose StatementEnd

SELECT pgmq._drop_outdated('{metrics, metrics_all}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._default_partition_length(queue_name text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- By the catalogue: a queue may have a name such as foo_default.
    RETURN (
        SELECT sum(greatest(c.reltuples, 0))::bigint
        FROM unnest('{q, a}'::text[]) AS prefix
        JOIN pg_class AS parent ON parent.oid = to_regclass(format('pgmq.%I', pgmq.format_table_name($1, prefix)))
        JOIN pg_partitioned_table AS p ON p.partrelid = parent.oid
        JOIN pg_class AS c ON c.oid = p.partdefid
        HAVING bool_or(prefix = 'q')
    );
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._default_partition_length IS
    'The planner''s estimate of the rows in the default partitions of a queue and its archive; NULL when the queue is not partitioned.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.metrics(queue_name text)
RETURNS pgmq.metrics_result
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    -- Blocks: 32 MB at the usual block size, which takes some milliseconds to count.
    cheap    CONSTANT integer := 4096;
    q_table  CONSTANT text := format('pgmq.%I', pgmq.format_table_name($1, 'q'));
    partkey  text;
    blocks   bigint;
    rising   text;
    result   pgmq.metrics_result;
BEGIN
    -- Locks the table before its partitions, in the order of DROP TABLE. LOCK TABLE
    -- needs more than SELECT on some columns.
    EXECUTE format('SELECT FROM %s LIMIT 0', q_table);
    partkey := pg_get_partkeydef(q_table::regclass);
    blocks := CASE
        WHEN partkey IS NULL THEN pg_relation_size(q_table::regclass)
        ELSE (SELECT coalesce(sum(pg_relation_size(relid)), 0) FROM pg_partition_tree(q_table::regclass) WHERE isleaf)
    END / current_setting('block_size')::integer;
    -- An index on this column finds the ends of a long queue.
    rising := CASE WHEN partkey = 'RANGE (enqueued_at)' THEN 'enqueued_at' ELSE 'msg_id' END;

    EXECUTE format(
        CASE WHEN blocks <= cheap THEN
            'SELECT
                $1, count(*), extract(epoch FROM $2 - max(enqueued_at)), extract(epoch FROM $2 - min(enqueued_at)),
                %3$s, $2, count(*) FILTER (WHERE vt <= $2), $3
            FROM %1$s'
        ELSE
            'SELECT
                $1, round(count(*) * $4),
                (SELECT extract(epoch FROM $2 - enqueued_at) FROM %1$s ORDER BY %2$I DESC LIMIT 1),
                (SELECT extract(epoch FROM $2 - enqueued_at) FROM %1$s ORDER BY %2$I LIMIT 1),
                %3$s, $2, round(count(*) FILTER (WHERE vt <= $2) * $4), $3
            FROM %1$s TABLESAMPLE SYSTEM (100 / $4)'
        END,
        q_table, rising,
        format(
            '(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM %s)',
            pg_get_serial_sequence(q_table, 'msg_id')
        )
    ) USING $1, now(), pgmq._default_partition_length($1), blocks / cheap::double precision
    INTO result;
    RETURN result;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.metrics IS
    'Metrics of a queue. Lengths are counted up to 32 MB and estimated from a sample of 32 MB beyond, where the ages are those of the first and the last message by id. total_messages is the last id of the sequence, sends that were rolled back included.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.metrics_all()
RETURNS SETOF pgmq.metrics_result
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue text;
BEGIN
    FOR queue IN SELECT m.queue_name FROM pgmq.meta AS m ORDER BY m.queue_name LOOP
        BEGIN
            RETURN NEXT pgmq.metrics(queue);
        EXCEPTION WHEN undefined_table THEN
            -- The table was dropped by hand, or is being dropped: go on with the
            -- other queues.
            NULL;
        END;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.metrics_all IS 'pgmq.metrics of all queues, by name.';

GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA pgmq TO pg_monitor;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA pgmq TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON TABLES TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON SEQUENCES TO pg_monitor;

-- +goose Down
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq REVOKE SELECT ON SEQUENCES FROM pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq REVOKE SELECT ON TABLES FROM pg_monitor;
REVOKE SELECT ON ALL SEQUENCES IN SCHEMA pgmq FROM pg_monitor;
REVOKE SELECT ON ALL TABLES IN SCHEMA pgmq FROM pg_monitor;
REVOKE USAGE ON SCHEMA pgmq FROM pg_monitor;
DROP FUNCTION pgmq.metrics_all();
DROP FUNCTION pgmq.metrics(text);
DROP FUNCTION pgmq._default_partition_length(text);

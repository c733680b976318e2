-- How long a queue is and how old its messages are, without reading all of it.

-- +goose Up
-- +goose StatementBegin
DO $$
DECLARE
    attribute text;
BEGIN
    -- What older versions did not have yet; PGMQ appends as well.
    FOREACH attribute IN ARRAY '{queue_visible_length, default_partition_length}'::text[] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_catalog.pg_attribute AS a
            JOIN pg_catalog.pg_type AS t ON t.typrelid = a.attrelid
            WHERE t.oid = 'pgmq.metrics_result'::regtype AND a.attname = attribute AND NOT a.attisdropped
        ) THEN
            EXECUTE format('ALTER TYPE pgmq.metrics_result ADD ATTRIBUTE %I bigint', attribute);
            -- Ends the plans that expect the old attributes.
            GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
        END IF;
    END LOOP;
    PERFORM pgmq._retire('{metrics, metrics_all}');
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._default_partition_length(queue_name text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A queue may be called foo_default: only a partition counts.
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
    'The planner''s estimate of the messages in the default partitions of a queue and its archive; NULL when it is not partitioned.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.metrics(queue_name text)
RETURNS pgmq.metrics_result
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- 32 MB with the usual block size: counted in some milliseconds.
    cheap    CONSTANT integer := 4096;
    q_table  CONSTANT text := format('pgmq.%I', pgmq.format_table_name($1, 'q'));
    partkey  text;
    blocks   bigint;
    rising   text;
    result   pgmq.metrics_result;
BEGIN
    -- Locked first of all, before its partitions, as everybody does who drops it;
    -- and not by LOCK TABLE, which some columns' SELECT does not allow.
    EXECUTE format('SELECT FROM %s LIMIT 0', q_table);
    partkey := pg_get_partkeydef(q_table::regclass);
    blocks := CASE
        WHEN partkey IS NULL THEN pg_relation_size(q_table::regclass)
        ELSE (SELECT coalesce(sum(pg_relation_size(relid)), 0) FROM pg_partition_tree(q_table::regclass) WHERE isleaf)
    END / current_setting('block_size')::integer;
    -- In order of this column the ends of a long queue are found by an index.
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
    'What is in a queue. Counted up to 32 MB; beyond, the lengths are estimated from a sample of 32 MB and the ages are those of the first and last message. total_messages is the last id drawn, sends that were rolled back included.';

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
            -- Its table was dropped by hand, or is being dropped: no reason to
            -- tell nothing about the others.
            NULL;
        END;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.metrics_all IS 'pgmq.metrics of every queue, by name.';

-- +goose Down
DROP FUNCTION pgmq.metrics_all();
DROP FUNCTION pgmq.metrics(text);
DROP FUNCTION pgmq._default_partition_length(text);

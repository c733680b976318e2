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
DO $$
BEGIN
    IF to_regtype('pgmq._figures') IS NULL THEN
        CREATE TYPE pgmq._figures AS (
            at               timestamptz,
            length           bigint,
            visible          bigint,
            delayed          bigint,
            max_read_ct      integer,
            newest           timestamptz,
            oldest           timestamptz,
            oldest_visible   timestamptz,
            last_id          bigint,
            estimated        boolean,
            deleted          bigint,
            table_bytes      bigint,
            archive_bytes    bigint,
            archive_estimate bigint
        );
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._default_partition_length(queue_name text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- By the catalogue: a queue may have a name such as foo_default. Analyzed tables
    -- by the planner's estimate, others by the counters.
    RETURN (
        SELECT sum(CASE
            WHEN c.reltuples > 0 THEN c.reltuples
            ELSE greatest(pg_stat_get_live_tuples(c.oid), 0)
        END)::bigint
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
    'An estimate of the rows in the default partitions of a queue and its archive: the planner''s, or the server''s counter, some seconds late, before the first ANALYZE. NULL when the queue is not partitioned.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._look(queue_name text)
RETURNS pgmq._figures
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Blocks: 32 MB at the usual block size, which takes some milliseconds to count.
    cheap   CONSTANT integer := 4096;
    q_table CONSTANT text := format('pgmq.%I', lower('q_' || $1));
    a_table CONSTANT regclass := to_regclass(format('pgmq.%I', lower('a_' || $1)));
    partkey text;
    blocks  bigint;
    rising  text;
    f       pgmq._figures;
BEGIN
    -- Locks the table before its partitions, in the order of DROP TABLE. LOCK TABLE
    -- needs more than SELECT on some columns.
    EXECUTE format('SELECT FROM %s LIMIT 0', q_table);
    partkey := pg_get_partkeydef(q_table::regclass);
    SELECT
        sum(pg_relation_size(t.oid)) / current_setting('block_size')::integer,
        sum(pg_total_relation_size(t.oid)), sum(pg_stat_get_tuples_deleted(t.oid))
    INTO blocks, f.table_bytes, f.deleted
    FROM (SELECT q_table::regclass::oid AS oid UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = q_table::regclass) AS t;
    -- The estimate of the archive is -1 when there is none yet.
    SELECT
        coalesce(sum(pg_total_relation_size(t.oid)), 0),
        CASE WHEN bool_or(b.n > 0 AND (c.relpages = 0 OR c.reltuples < 0)) THEN -1
            ELSE coalesce(sum(CASE WHEN b.n > 0 THEN round(c.reltuples / nullif(c.relpages, 0) * b.n) ELSE 0 END), 0)
        END
    INTO f.archive_bytes, f.archive_estimate
    FROM
        (SELECT a_table::oid AS oid UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = a_table) AS t
        JOIN pg_class AS c ON c.oid = t.oid,
        LATERAL (SELECT pg_relation_size(t.oid) / current_setting('block_size')::integer AS n) AS b;

    -- An index on this column finds the ends of a long queue. An infinite time has no
    -- age.
    rising := CASE WHEN partkey = 'RANGE (enqueued_at)' THEN 'enqueued_at' ELSE 'msg_id' END;
    f.at := statement_timestamp();
    f.estimated := blocks > cheap;
    EXECUTE format(
        'SELECT
            round(count(*) * $2), round(count(*) FILTER (WHERE vt <= $1) * $2),
            round(count(*) FILTER (WHERE vt > $1 AND read_ct = 0) * $2), coalesce(max(read_ct), 0),
            ' || CASE WHEN f.estimated THEN
                '(SELECT enqueued_at FROM %1$s WHERE isfinite(enqueued_at) ORDER BY %2$I DESC LIMIT 1),
                (SELECT enqueued_at FROM %1$s WHERE isfinite(enqueued_at) ORDER BY %2$I LIMIT 1)'
            ELSE
                'max(enqueued_at) FILTER (WHERE isfinite(enqueued_at)),
                min(enqueued_at) FILTER (WHERE isfinite(enqueued_at))'
            END || ',
            min(enqueued_at) FILTER (WHERE vt <= $1 AND isfinite(enqueued_at)), %3$s
        FROM %1$s' || CASE WHEN f.estimated THEN ' TABLESAMPLE SYSTEM (100 / $2)' ELSE '' END,
        q_table, rising,
        coalesce(format(
            '(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM %s)',
            pg_get_serial_sequence(q_table, 'msg_id')
        ), '0')
    ) USING f.at, CASE WHEN f.estimated THEN blocks / cheap::double precision ELSE 1 END
    INTO f.length, f.visible, f.delayed, f.max_read_ct, f.newest, f.oldest, f.oldest_visible, f.last_id;
    RETURN f;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._look IS
    'Figures of a queue and its archive, for metrics here and in Go. A queue of up to 32 MB is counted; of a longer one a sample of 32 MB, except for the oldest and the newest message, which are the first and the last by id. Sizes are in bytes.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._whole_seconds(duration interval)
RETURNS integer
LANGUAGE sql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    -- An age of thousands of years is no integer.
    SELECT least(greatest(extract(epoch FROM $1), -2147483648), 2147483647)::integer;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._look_at(queue_names text[])
RETURNS TABLE (queue_name text, code text, problem text, figures pgmq._figures)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    patience integer := 500; -- milliseconds
BEGIN
    FOREACH queue_name IN ARRAY $1 LOOP
        code := NULL;
        problem := NULL;
        figures := NULL;
        BEGIN
            PERFORM set_config('lock_timeout', patience::text, true);
            figures := pgmq._look(queue_name);
            -- An exception undoes what this block did: its locks and its lock_timeout.
            -- The locks of thousands of queues do not fit into the server's table.
            RAISE EXCEPTION USING ERRCODE = 'PGMQ0';
        EXCEPTION
            WHEN SQLSTATE 'PGMQ0' THEN
                NULL;
            WHEN others THEN
                code := SQLSTATE;
                problem := SQLERRM;
        END;
        IF code = '55P03' THEN
            -- Not each one of many that are locked is waited for so long.
            patience := greatest(patience / 2, 1);
        ELSIF code = '42P01' THEN
            CONTINUE WHEN pgmq._listed_name(queue_name) IS NULL; -- dropped meanwhile
        END IF;
        RETURN NEXT;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._look_at IS
    'The figures of each of these queues, one after the other. A queue that cannot be read has the SQLSTATE and the message of the error instead. Keeps no lock on a queue, and waits half a second at most for one.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._metrics_of(queue_name text, figures pgmq._figures)
RETURNS pgmq.metrics_result
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        $1, figures.length, pgmq._whole_seconds(figures.at - figures.newest), pgmq._whole_seconds(figures.at - figures.oldest),
        figures.last_id, coalesce(figures.at, statement_timestamp()), figures.visible,
        CASE WHEN figures.at IS NOT NULL THEN pgmq._default_partition_length($1) END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.metrics(queue_name text)
RETURNS pgmq.metrics_result
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
BEGIN
    PERFORM pgmq.format_table_name($1, 'q'); -- refuses what is no name
    RETURN pgmq._metrics_of($1, pgmq._look($1));
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
    q record;
BEGIN
    FOR q IN SELECT * FROM pgmq._look_at(ARRAY(SELECT m.queue_name FROM pgmq.meta AS m ORDER BY m.queue_name)) LOOP
        IF q.problem IS NOT NULL THEN
            RAISE WARNING 'pgmq: queue %: %', quote_ident(q.queue_name), q.problem USING ERRCODE = q.code;
        END IF;
        RETURN NEXT pgmq._metrics_of(q.queue_name, q.figures);
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.metrics_all IS
    'pgmq.metrics of all queues, by name. A queue that cannot be read has its name and the time, NULL for all the rest, and a WARNING that says why. Keeps no lock on a queue, and waits half a second at most for one.';

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
DROP FUNCTION pgmq._metrics_of(text, pgmq._figures);
DROP FUNCTION pgmq._look_at(text[]);
DROP FUNCTION pgmq._whole_seconds(interval);
DROP FUNCTION pgmq._look(text);
DROP FUNCTION pgmq._default_partition_length(text);
DROP TYPE pgmq._figures;

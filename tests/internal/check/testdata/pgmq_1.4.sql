-- What a database looks like that has PGMQ 1.4: its objects by their names and
-- shapes, with bodies written for these tests. Later versions build on this.
CREATE SCHEMA IF NOT EXISTS pgmq;

CREATE TABLE pgmq.meta (
    queue_name     varchar UNIQUE NOT NULL,
    is_partitioned boolean NOT NULL,
    is_unlogged    boolean NOT NULL,
    created_at     timestamptz DEFAULT now() NOT NULL
);
CREATE TYPE pgmq.message_record AS (
    msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb
);
CREATE TYPE pgmq.queue_record AS (
    queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz
);
CREATE TYPE pgmq.metrics_result AS (
    queue_name text, queue_length bigint, newest_msg_age_sec int, oldest_msg_age_sec int,
    total_messages bigint, scrape_time timestamptz
);
GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA pgmq TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON TABLES TO pg_monitor;

CREATE FUNCTION pgmq.validate_queue_name(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF length(queue_name) > 47 THEN
        RAISE EXCEPTION 'queue name is too long';
    END IF;
END $$;
CREATE FUNCTION pgmq.format_table_name(queue_name text, prefix text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN lower(prefix || '_' || queue_name);
END $$;
CREATE FUNCTION pgmq._extension_exists(extension_name text) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = extension_name)
$$;
CREATE FUNCTION pgmq._belongs_to_pgmq(table_name text) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'pgmq'
        WHERE d.deptype = 'e' AND d.objid = to_regclass(format('pgmq.%I', table_name))
    )
$$;
CREATE FUNCTION pgmq._get_partition_col(partition_interval text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN partition_interval ~ '^\d+$' THEN 'msg_id' ELSE 'enqueued_at' END
$$;
CREATE FUNCTION pgmq._get_pg_partman_schema() RETURNS text LANGUAGE sql AS $$
    SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_partman'
$$;
CREATE FUNCTION pgmq._ensure_pg_partman_installed() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pgmq._extension_exists('pg_partman') THEN
        RAISE EXCEPTION 'pg_partman is required for partitioned queues';
    END IF;
END $$;

CREATE FUNCTION pgmq._make(queue_name text, unlogged boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    q text := format('pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    a text := format('pgmq.%I', pgmq.format_table_name(queue_name, 'a'));
BEGIN
    PERFORM pgmq.validate_queue_name(queue_name);
    EXECUTE format(
        'CREATE %s TABLE IF NOT EXISTS %s (
            msg_id      bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            read_ct     integer DEFAULT 0 NOT NULL,
            enqueued_at timestamptz DEFAULT now() NOT NULL,
            vt          timestamptz NOT NULL,
            message     jsonb
        )', CASE WHEN unlogged THEN 'UNLOGGED' END, q);
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %s (
            msg_id      bigint PRIMARY KEY,
            read_ct     integer DEFAULT 0 NOT NULL,
            enqueued_at timestamptz DEFAULT now() NOT NULL,
            archived_at timestamptz DEFAULT now() NOT NULL,
            vt          timestamptz NOT NULL,
            message     jsonb
        )', a);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (vt ASC)', pgmq.format_table_name(queue_name, 'q') || '_vt_idx', q);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (archived_at)', 'archived_at_idx_' || queue_name, a);
    -- Queues were members of the extension.
    IF pgmq._extension_exists('pgmq') THEN
        IF NOT pgmq._belongs_to_pgmq(pgmq.format_table_name(queue_name, 'q')) THEN
            EXECUTE format('ALTER EXTENSION pgmq ADD TABLE %s', q);
        END IF;
        IF NOT pgmq._belongs_to_pgmq(pgmq.format_table_name(queue_name, 'a')) THEN
            EXECUTE format('ALTER EXTENSION pgmq ADD TABLE %s', a);
        END IF;
    END IF;
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES (queue_name, false, unlogged)
    ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION pgmq.create_non_partitioned(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq._make(queue_name, false);
END $$;
CREATE FUNCTION pgmq.create(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.create_non_partitioned(queue_name);
END $$;
CREATE FUNCTION pgmq.create_unlogged(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq._make(queue_name, true);
END $$;
CREATE FUNCTION pgmq.create_partitioned(
    queue_name text, partition_interval text DEFAULT '10000', retention_interval text DEFAULT '100000'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq._ensure_pg_partman_installed();
END $$;
CREATE FUNCTION pgmq.convert_archive_partitioned(
    table_name text, partition_interval text DEFAULT '10000', retention_interval text DEFAULT '100000',
    leading_partition int DEFAULT 10
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq._ensure_pg_partman_installed();
END $$;
CREATE FUNCTION pgmq.drop_queue(queue_name text, partitioned boolean DEFAULT false) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    EXECUTE format('DROP TABLE pgmq.%I', pgmq.format_table_name(queue_name, 'a'));
    EXECUTE 'DELETE FROM pgmq.meta WHERE queue_name = $1' USING queue_name;
    RETURN true;
END $$;
CREATE FUNCTION pgmq.detach_archive(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER EXTENSION pgmq DROP TABLE pgmq.%I', pgmq.format_table_name(queue_name, 'a'));
END $$;
CREATE FUNCTION pgmq.list_queues() RETURNS SETOF pgmq.queue_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.meta;
END $$;
CREATE FUNCTION pgmq.purge_queue(queue_name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone integer;
BEGIN
    EXECUTE format('SELECT count(*) FROM pgmq.%I', pgmq.format_table_name(queue_name, 'q')) INTO gone;
    EXECUTE format('TRUNCATE pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    RETURN gone;
END $$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, delay integer DEFAULT 0) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message) VALUES (clock_timestamp() + $2 * interval ''1 second'', $1) RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q')) USING msg, delay;
END $$;
CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay integer DEFAULT 0) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message) SELECT clock_timestamp() + $2 * interval ''1 second'', unnest($1) RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q')) USING msgs, delay;
END $$;
CREATE FUNCTION pgmq.read(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH n AS (
            SELECT msg_id FROM pgmq.%1$I WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE pgmq.%1$I AS m SET vt = clock_timestamp() + $2 * interval ''1 second'', read_ct = read_ct + 1
        FROM n WHERE n.msg_id = m.msg_id
        RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message',
        pgmq.format_table_name(queue_name, 'q')) USING qty, vt;
END $$;
CREATE FUNCTION pgmq.read_with_poll(
    queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100
) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
DECLARE
    stop_at timestamp := clock_timestamp() + max_poll_seconds * interval '1 second';
BEGIN
    WHILE clock_timestamp() < stop_at LOOP
        RETURN QUERY SELECT m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message FROM pgmq.read(queue_name, vt, qty) AS m;
        EXIT WHEN FOUND;
        PERFORM pg_sleep(poll_interval_ms / 1000.0);
    END LOOP;
END $$;
CREATE FUNCTION pgmq.pop(queue_name text) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'DELETE FROM pgmq.%1$I WHERE msg_id = (
            SELECT msg_id FROM pgmq.%1$I WHERE vt <= now() ORDER BY msg_id LIMIT 1 FOR UPDATE SKIP LOCKED
        ) RETURNING *', pgmq.format_table_name(queue_name, 'q'));
END $$;
CREATE FUNCTION pgmq.delete(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q')) USING msg_ids;
END $$;
CREATE FUNCTION pgmq.delete(queue_name text, msg_id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    EXECUTE format('DELETE FROM pgmq.%I WHERE msg_id = $1 RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q')) INTO gone USING msg_id;
    RETURN gone IS NOT NULL;
END $$;
CREATE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH gone AS (
            DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id, read_ct, enqueued_at, vt, message
        )
        INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, vt, message) SELECT * FROM gone RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a')) USING msg_ids;
END $$;
CREATE FUNCTION pgmq.archive(queue_name text, msg_id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.archive(queue_name, ARRAY[msg_id]);
    RETURN FOUND;
END $$;
CREATE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt integer) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'UPDATE pgmq.%I SET vt = clock_timestamp() + $2 * interval ''1 second'' WHERE msg_id = $1 RETURNING *',
        pgmq.format_table_name(queue_name, 'q')) USING msg_id, vt;
END $$;
CREATE FUNCTION pgmq.metrics(queue_name text) RETURNS pgmq.metrics_result LANGUAGE plpgsql AS $$
DECLARE
    r pgmq.metrics_result;
BEGIN
    EXECUTE format(
        'SELECT $1, count(*), extract(epoch FROM now() - max(enqueued_at))::int,
            extract(epoch FROM now() - min(enqueued_at))::int,
            (SELECT last_value FROM pgmq.%I), now() FROM pgmq.%I',
        pgmq.format_table_name(queue_name, 'q') || '_msg_id_seq', pgmq.format_table_name(queue_name, 'q'))
    USING queue_name INTO r;
    RETURN r;
END $$;
CREATE FUNCTION pgmq.metrics_all() RETURNS SETOF pgmq.metrics_result LANGUAGE plpgsql AS $$
DECLARE
    row_ record;
BEGIN
    FOR row_ IN SELECT * FROM pgmq.meta LOOP
        RETURN NEXT pgmq.metrics(row_.queue_name);
    END LOOP;
END $$;

-- From PGMQ 1.4 to 1.5: headers, times instead of delays, conditional reads.
DO $$
DECLARE
    t regclass;
BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname ~ '^[qa]_' LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN headers jsonb', t);
    END LOOP;
END $$;
DROP TYPE pgmq.message_record CASCADE;
CREATE TYPE pgmq.message_record AS (
    msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb, headers jsonb
);
ALTER TYPE pgmq.metrics_result ADD ATTRIBUTE queue_visible_length bigint;
DROP FUNCTION pgmq.send(text, jsonb, integer), pgmq.send_batch(text, jsonb[], integer), pgmq.drop_queue(text, boolean);

CREATE FUNCTION pgmq.acquire_queue_lock(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('pgmq.queue_' || queue_name));
END $$;
CREATE OR REPLACE FUNCTION pgmq._make(queue_name text, unlogged boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    q text := format('pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    a text := format('pgmq.%I', pgmq.format_table_name(queue_name, 'a'));
BEGIN
    PERFORM pgmq.validate_queue_name(queue_name);
    PERFORM pgmq.acquire_queue_lock(queue_name);
    EXECUTE format(
        'CREATE %s TABLE IF NOT EXISTS %s (
            msg_id      bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            read_ct     integer DEFAULT 0 NOT NULL,
            enqueued_at timestamptz DEFAULT now() NOT NULL,
            vt          timestamptz NOT NULL,
            message     jsonb,
            headers     jsonb
        )', CASE WHEN unlogged THEN 'UNLOGGED' END, q);
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %s (
            msg_id      bigint PRIMARY KEY,
            read_ct     integer DEFAULT 0 NOT NULL,
            enqueued_at timestamptz DEFAULT now() NOT NULL,
            archived_at timestamptz DEFAULT now() NOT NULL,
            vt          timestamptz NOT NULL,
            message     jsonb,
            headers     jsonb
        )', a);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (vt ASC)', pgmq.format_table_name(queue_name, 'q') || '_vt_idx', q);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (archived_at)', 'archived_at_idx_' || queue_name, a);
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES (queue_name, false, unlogged)
    ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION pgmq.drop_queue(queue_name text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.acquire_queue_lock(queue_name);
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', pgmq.format_table_name(queue_name, 'a'));
    EXECUTE 'DELETE FROM pgmq.meta WHERE queue_name = $1' USING queue_name;
    RETURN true;
END $$;
CREATE FUNCTION pgmq.drop_queue(queue_name text, partitioned boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.drop_queue(queue_name);
    RETURN true;
END $$;
CREATE OR REPLACE FUNCTION pgmq.detach_archive(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'deprecated';
END $$;

CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('INSERT INTO pgmq.%I (vt, message, headers) VALUES ($2, $1, $3) RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q')) USING msg, delay, headers;
END $$;
CREATE FUNCTION pgmq.send(queue_name text, msg jsonb) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send(queue_name, msg, NULL, clock_timestamp())
$$;
CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send(queue_name, msg, headers, clock_timestamp())
$$;
CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, delay integer) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send(queue_name, msg, NULL, clock_timestamp() + delay * interval '1 second')
$$;
CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, delay timestamptz) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send(queue_name, msg, NULL, delay)
$$;
CREATE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send(queue_name, msg, headers, clock_timestamp() + delay * interval '1 second')
$$;
CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message, headers) SELECT $2, unnest($1), unnest(coalesce($3, ARRAY[]::jsonb[])) RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q')) USING msgs, delay, headers;
END $$;
CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[]) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send_batch(queue_name, msgs, NULL, clock_timestamp())
$$;
CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[]) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send_batch(queue_name, msgs, headers, clock_timestamp())
$$;
CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay integer) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send_batch(queue_name, msgs, NULL, clock_timestamp() + delay * interval '1 second')
$$;
CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay timestamptz) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send_batch(queue_name, msgs, NULL, delay)
$$;
CREATE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send_batch(queue_name, msgs, headers, clock_timestamp() + delay * interval '1 second')
$$;
CREATE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}') RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH n AS (
            SELECT msg_id FROM pgmq.%1$I WHERE vt <= clock_timestamp() AND CASE WHEN $3 <> ''{}'' THEN message @> $3 ELSE true END
            ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE pgmq.%1$I AS m SET vt = clock_timestamp() + $2 * interval ''1 second'', read_ct = read_ct + 1
        FROM n WHERE n.msg_id = m.msg_id
        RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers',
        pgmq.format_table_name(queue_name, 'q')) USING qty, vt, conditional;
END $$;
CREATE FUNCTION pgmq.read_with_poll(
    queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100,
    conditional jsonb DEFAULT '{}'
) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
DECLARE
    stop_at timestamp := clock_timestamp() + max_poll_seconds * interval '1 second';
BEGIN
    WHILE clock_timestamp() < stop_at LOOP
        RETURN QUERY SELECT m.msg_id, m.read_ct, m.enqueued_at, m.vt, m.message, m.headers FROM pgmq.read(queue_name, vt, qty, conditional) AS m;
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
CREATE OR REPLACE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH gone AS (
            DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id, read_ct, enqueued_at, vt, message, headers
        )
        INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, vt, message, headers) SELECT * FROM gone RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a')) USING msg_ids;
END $$;
CREATE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt integer) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'UPDATE pgmq.%I SET vt = clock_timestamp() + $2 * interval ''1 second'' WHERE msg_id = $1 RETURNING *',
        pgmq.format_table_name(queue_name, 'q')) USING msg_id, vt;
END $$;
CREATE OR REPLACE FUNCTION pgmq.metrics(queue_name text) RETURNS pgmq.metrics_result LANGUAGE plpgsql AS $$
DECLARE
    r pgmq.metrics_result;
BEGIN
    EXECUTE format(
        'SELECT $1, count(*), extract(epoch FROM now() - max(enqueued_at))::int,
            extract(epoch FROM now() - min(enqueued_at))::int,
            (SELECT last_value FROM pgmq.%I), now(), count(*) FILTER (WHERE vt <= now()) FROM pgmq.%I',
        pgmq.format_table_name(queue_name, 'q') || '_msg_id_seq', pgmq.format_table_name(queue_name, 'q'))
    USING queue_name INTO r;
    RETURN r;
END $$;

-- From PGMQ 1.8 to 1.10: last_read_at, times in set_vt, groups in turn, throttles
-- that can be changed.
DO $$
DECLARE
    t regclass;
BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname ~ '^[qa]_' LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN last_read_at timestamptz', t);
    END LOOP;
END $$;
DROP TYPE pgmq.message_record CASCADE;
CREATE TYPE pgmq.message_record AS (
    msg_id bigint, read_ct integer, enqueued_at timestamptz, last_read_at timestamptz, vt timestamptz, message jsonb, headers jsonb
);
CREATE OR REPLACE FUNCTION pgmq._make(queue_name text, unlogged boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    q text := format('pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    a text := format('pgmq.%I', pgmq.format_table_name(queue_name, 'a'));
BEGIN
    PERFORM pgmq.validate_queue_name(queue_name);
    PERFORM pgmq.acquire_queue_lock(queue_name);
    EXECUTE format(
        'CREATE %s TABLE IF NOT EXISTS %s (
            msg_id       bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            read_ct      integer DEFAULT 0 NOT NULL,
            enqueued_at  timestamptz DEFAULT now() NOT NULL,
            last_read_at timestamptz,
            vt           timestamptz NOT NULL,
            message      jsonb,
            headers      jsonb
        )', CASE WHEN unlogged THEN 'UNLOGGED' END, q);
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %s (
            msg_id       bigint PRIMARY KEY,
            read_ct      integer DEFAULT 0 NOT NULL,
            enqueued_at  timestamptz DEFAULT now() NOT NULL,
            last_read_at timestamptz,
            archived_at  timestamptz DEFAULT now() NOT NULL,
            vt           timestamptz NOT NULL,
            message      jsonb,
            headers      jsonb
        )', a);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (vt ASC)', pgmq.format_table_name(queue_name, 'q') || '_vt_idx', q);
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s (archived_at)', 'archived_at_idx_' || queue_name, a);
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES (queue_name, false, unlogged)
    ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}') RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH n AS (
            SELECT msg_id FROM pgmq.%1$I WHERE vt <= clock_timestamp() AND CASE WHEN $3 <> ''{}'' THEN message @> $3 ELSE true END
            ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE pgmq.%1$I AS m
        SET last_read_at = clock_timestamp(), vt = clock_timestamp() + $2 * interval ''1 second'', read_ct = read_ct + 1
        FROM n WHERE n.msg_id = m.msg_id
        RETURNING m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers',
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
        RETURN QUERY SELECT m.msg_id, m.read_ct, m.enqueued_at, m.last_read_at, m.vt, m.message, m.headers FROM pgmq.read(queue_name, vt, qty, conditional) AS m;
        EXIT WHEN FOUND;
        PERFORM pg_sleep(poll_interval_ms / 1000.0);
    END LOOP;
END $$;
CREATE FUNCTION pgmq.pop(queue_name text, qty integer DEFAULT 1) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'DELETE FROM pgmq.%1$I WHERE msg_id = ANY (ARRAY(
            SELECT msg_id FROM pgmq.%1$I WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
        )) RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers',
        pgmq.format_table_name(queue_name, 'q')) USING qty;
END $$;
CREATE OR REPLACE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH gone AS (
            DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
        )
        INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers) SELECT * FROM gone RETURNING msg_id',
        pgmq.format_table_name(queue_name, 'q'), pgmq.format_table_name(queue_name, 'a')) USING msg_ids;
END $$;
CREATE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'UPDATE pgmq.%I SET vt = $2 WHERE msg_id = ANY ($1)
        RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers',
        pgmq.format_table_name(queue_name, 'q')) USING msg_ids, vt;
END $$;
CREATE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt integer) RETURNS SETOF pgmq.message_record LANGUAGE sql AS $$
    SELECT * FROM pgmq.set_vt(queue_name, msg_ids, clock_timestamp() + vt * interval '1 second')
$$;
CREATE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt timestamptz) RETURNS SETOF pgmq.message_record LANGUAGE sql AS $$
    SELECT * FROM pgmq.set_vt(queue_name, ARRAY[msg_id], vt)
$$;
CREATE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt integer) RETURNS SETOF pgmq.message_record LANGUAGE sql AS $$
    SELECT * FROM pgmq.set_vt(queue_name, ARRAY[msg_id], clock_timestamp() + vt * interval '1 second')
$$;
CREATE FUNCTION pgmq.read_grouped(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.read(queue_name, vt, qty);
END $$;
CREATE FUNCTION pgmq.read_grouped_rr(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.read(queue_name, vt, qty);
END $$;
CREATE FUNCTION pgmq.read_grouped_with_poll(
    queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100
) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.read_grouped(queue_name, vt, qty);
END $$;
CREATE FUNCTION pgmq.update_notify_insert(queue_name text, throttle_interval_ms integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'UPDATE pgmq.notify_insert_throttle SET throttle_interval_ms = $2, last_notified_at = to_timestamp(0) WHERE queue_name = $1'
        USING queue_name, throttle_interval_ms;
END $$;
CREATE FUNCTION pgmq.list_notify_insert_throttles() RETURNS TABLE (queue_name text, throttle_interval_ms integer, last_notified_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT t.queue_name, t.throttle_interval_ms, t.last_notified_at FROM pgmq.notify_insert_throttle AS t ORDER BY 1
$$;

-- From PGMQ 1.5 to 1.8: pop with a quantity, reading by groups, notifications.
DROP FUNCTION pgmq.pop(text);
CREATE FUNCTION pgmq.pop(queue_name text, qty integer DEFAULT 1) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'DELETE FROM pgmq.%1$I WHERE msg_id = ANY (ARRAY(
            SELECT msg_id FROM pgmq.%1$I WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT $1 FOR UPDATE SKIP LOCKED
        )) RETURNING *',
        pgmq.format_table_name(queue_name, 'q')) USING qty;
END $$;
CREATE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt integer) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'UPDATE pgmq.%I SET vt = clock_timestamp() + $2 * interval ''1 second'' WHERE msg_id = ANY ($1) RETURNING *',
        pgmq.format_table_name(queue_name, 'q')) USING msg_ids, vt;
END $$;
CREATE FUNCTION pgmq.create_fifo_index(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON pgmq.%I USING gin (headers)',
        pgmq.format_table_name(queue_name, 'q') || '_fifo_idx', pgmq.format_table_name(queue_name, 'q'));
END $$;
CREATE FUNCTION pgmq.create_fifo_indexes_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    row_ record;
BEGIN
    FOR row_ IN SELECT * FROM pgmq.meta LOOP
        PERFORM pgmq.create_fifo_index(row_.queue_name);
    END LOOP;
END $$;
CREATE FUNCTION pgmq.read_grouped(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.read(queue_name, vt, qty);
END $$;
CREATE FUNCTION pgmq.read_grouped_with_poll(
    queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100
) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.read_grouped(queue_name, vt, qty);
END $$;

CREATE UNLOGGED TABLE pgmq.notify_insert_throttle (
    queue_name           varchar UNIQUE NOT NULL
        CONSTRAINT notify_insert_throttle_meta_queue_name_fk REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
    throttle_interval_ms integer NOT NULL DEFAULT 0,
    last_notified_at     timestamptz NOT NULL DEFAULT to_timestamp(0)
);
CREATE INDEX idx_notify_throttle_active ON pgmq.notify_insert_throttle (queue_name, last_notified_at)
    WHERE throttle_interval_ms > 0;
CREATE FUNCTION pgmq.notify_queue_listeners() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE pgmq.notify_insert_throttle
    SET last_notified_at = clock_timestamp()
    WHERE queue_name = substr(TG_TABLE_NAME, 3)
        AND last_notified_at + throttle_interval_ms * interval '1 millisecond' <= clock_timestamp();
    IF FOUND THEN
        PERFORM pg_notify('pgmq.' || TG_TABLE_NAME || '.' || TG_OP, NULL);
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION pgmq.disable_notify_insert(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS trigger_notify_queue_insert_listeners ON pgmq.%I', pgmq.format_table_name(queue_name, 'q'));
    EXECUTE 'DELETE FROM pgmq.notify_insert_throttle WHERE queue_name = $1' USING queue_name;
END $$;
CREATE FUNCTION pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer DEFAULT 250) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.disable_notify_insert(queue_name);
    EXECUTE 'INSERT INTO pgmq.notify_insert_throttle (queue_name, throttle_interval_ms) VALUES ($1, $2)'
        USING queue_name, throttle_interval_ms;
    EXECUTE format(
        'CREATE CONSTRAINT TRIGGER trigger_notify_queue_insert_listeners AFTER INSERT ON pgmq.%I
        DEFERRABLE FOR EACH ROW EXECUTE FUNCTION pgmq.notify_queue_listeners()',
        pgmq.format_table_name(queue_name, 'q'));
END $$;

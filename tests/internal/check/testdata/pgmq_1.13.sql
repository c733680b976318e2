-- From PGMQ 1.10 to 1.13: topics, one message of each group, premade partitions.
CREATE FUNCTION pgmq.validate_routing_key(routing_key text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN routing_key IS NOT NULL;
END $$;
CREATE FUNCTION pgmq.validate_topic_pattern(pattern text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN pattern IS NOT NULL;
END $$;
CREATE TABLE pgmq.topic_bindings (
    pattern        text NOT NULL,
    queue_name     text NOT NULL
        CONSTRAINT topic_bindings_meta_queue_name_fk REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
    bound_at       timestamptz DEFAULT now() NOT NULL,
    compiled_regex text GENERATED ALWAYS AS (
        '^' || replace(replace(regexp_replace(pattern, '([.+?{}()|\[\]\\^$])', '\\\1', 'g'), '*', '[^.]+'), '#', '.*') || '$'
    ) STORED,
    CONSTRAINT topic_bindings_unique_pattern_queue UNIQUE (pattern, queue_name)
);
CREATE INDEX idx_topic_bindings_covering ON pgmq.topic_bindings (pattern) INCLUDE (queue_name, compiled_regex);
CREATE FUNCTION pgmq.bind_topic(pattern text, queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'INSERT INTO pgmq.topic_bindings (pattern, queue_name) VALUES ($1, $2) ON CONFLICT DO NOTHING' USING pattern, queue_name;
END $$;
CREATE FUNCTION pgmq.unbind_topic(pattern text, queue_name text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    gone integer;
BEGIN
    EXECUTE 'DELETE FROM pgmq.topic_bindings WHERE pattern = $1 AND queue_name = $2' USING pattern, queue_name;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone > 0;
END $$;
CREATE FUNCTION pgmq.list_topic_bindings() RETURNS TABLE (pattern text, queue_name text, bound_at timestamptz, compiled_regex text) LANGUAGE sql STABLE AS $$
    SELECT * FROM pgmq.topic_bindings
$$;
CREATE FUNCTION pgmq.list_topic_bindings(queue_name text) RETURNS TABLE (pattern text, queue_name text, bound_at timestamptz, compiled_regex text) LANGUAGE sql STABLE AS $$
    SELECT * FROM pgmq.topic_bindings AS b WHERE b.queue_name = list_topic_bindings.queue_name
$$;
CREATE FUNCTION pgmq.test_routing(routing_key text) RETURNS TABLE (pattern text, queue_name text, compiled_regex text) LANGUAGE sql STABLE AS $$
    SELECT pattern, queue_name, compiled_regex FROM pgmq.topic_bindings WHERE routing_key ~ compiled_regex ORDER BY 1
$$;
CREATE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, headers jsonb, delay integer) RETURNS integer LANGUAGE sql AS $$
    SELECT count(*)::int FROM (SELECT DISTINCT queue_name FROM pgmq.test_routing(routing_key)) AS q, pgmq.send(q.queue_name, msg, headers, delay)
$$;
CREATE FUNCTION pgmq.send_topic(routing_key text, msg jsonb) RETURNS integer LANGUAGE sql AS $$
    SELECT pgmq.send_topic(routing_key, msg, NULL, 0)
$$;
CREATE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, delay integer) RETURNS integer LANGUAGE sql AS $$
    SELECT pgmq.send_topic(routing_key, msg, NULL, delay)
$$;
CREATE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay timestamptz) RETURNS TABLE (queue_name text, msg_id bigint) LANGUAGE sql AS $$
    SELECT q.queue_name, s FROM (SELECT DISTINCT queue_name FROM pgmq.test_routing(routing_key)) AS q, pgmq.send_batch(q.queue_name, msgs, headers, delay) AS s
$$;
CREATE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[]) RETURNS TABLE (queue_name text, msg_id bigint) LANGUAGE sql AS $$
    SELECT * FROM pgmq.send_batch_topic(routing_key, msgs, NULL, clock_timestamp())
$$;

CREATE FUNCTION pgmq._create_fifo_index_if_not_exists(queue_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON pgmq.%I USING gin (headers)',
        pgmq.format_table_name(queue_name, 'q') || '_fifo_idx', pgmq.format_table_name(queue_name, 'q'));
END $$;
CREATE FUNCTION pgmq.read_grouped_head(queue_name text, vt integer, qty integer) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.read(queue_name, vt, qty);
END $$;
CREATE FUNCTION pgmq._validate_batch_params(msgs jsonb[], headers jsonb[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    NULL;
END $$;
CREATE FUNCTION pgmq._send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) RETURNS SETOF bigint LANGUAGE sql AS $$
    SELECT * FROM pgmq.send_batch(queue_name, msgs, headers, delay)
$$;
ALTER TYPE pgmq.metrics_result ADD ATTRIBUTE default_partition_length bigint;
CREATE OR REPLACE FUNCTION pgmq.metrics(queue_name text) RETURNS pgmq.metrics_result LANGUAGE plpgsql AS $$
DECLARE
    r pgmq.metrics_result;
BEGIN
    EXECUTE format(
        'SELECT $1, count(*), extract(epoch FROM now() - max(enqueued_at))::int,
            extract(epoch FROM now() - min(enqueued_at))::int,
            (SELECT last_value FROM pgmq.%I), now(), count(*) FILTER (WHERE vt <= now()), NULL::bigint FROM pgmq.%I',
        pgmq.format_table_name(queue_name, 'q') || '_msg_id_seq', pgmq.format_table_name(queue_name, 'q'))
    USING queue_name INTO r;
    RETURN r;
END $$;
DROP FUNCTION pgmq.create_partitioned(text, text, text);
CREATE FUNCTION pgmq.create_partitioned(
    queue_name text, partition_interval text DEFAULT '10000', retention_interval text DEFAULT '100000', premake integer DEFAULT 4
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq._ensure_pg_partman_installed();
END $$;
CREATE FUNCTION pgmq._get_pg_partman_major_version() RETURNS int LANGUAGE sql AS $$
    SELECT split_part(extversion, '.', 1)::int FROM pg_extension WHERE extname = 'pg_partman'
$$;

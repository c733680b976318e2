-- The names of PGMQ's first README, from before it had a schema: pgmq_create,
-- pgmq_send, pgmq_read and so on, in schema public, over the same queues.
--
-- Optional: pgmq api install legacy_names, or this file through psql, or any
-- other client. It is one statement, so all of it happens or nothing.
--
-- The body of each function of this API begins with a marker. A comment on the
-- function would not identify it: CREATE OR REPLACE FUNCTION keeps comments.

DO $install$
DECLARE
    marker CONSTANT text := '/* pgmq api: legacy_names */';
    taken  text;
BEGIN
    PERFORM pg_advisory_xact_lock(1885826417); -- that of the migrations

    IF to_regprocedure('pgmq.metrics_all()') IS NULL THEN
        RAISE EXCEPTION 'schema pgmq is not up to date: apply its migrations first (pgmq migrate up)'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;

    -- Functions with other arguments count, too: calls could become ambiguous.
    SELECT string_agg(format('public.%I(%s)', proname, pg_get_function_identity_arguments(oid)), ', ' ORDER BY proname)
    INTO taken
    FROM pg_catalog.pg_proc
    WHERE pronamespace = to_regnamespace('public')
        AND proname = ANY ('{
            pgmq_create, pgmq_create_non_partitioned, pgmq_create_partitioned, pgmq_send, pgmq_send_batch,
            pgmq_read, pgmq_read_with_poll, pgmq_pop, pgmq_delete, pgmq_archive, pgmq_set_vt, pgmq_purge_queue,
            pgmq_metrics, pgmq_metrics_all, pgmq_drop_queue, pgmq_list_queues
        }')
        AND NOT starts_with(ltrim(prosrc, E' \t\r\n'), marker);
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'somebody else''s function has a name that this API needs: rename or drop %, then install again', taken
            USING ERRCODE = 'duplicate_function';
    END IF;

    CREATE OR REPLACE FUNCTION public.pgmq_create(queue_name text)
    RETURNS void
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT pgmq.create($1);
    $$;
    COMMENT ON FUNCTION public.pgmq_create IS 'The older name of pgmq.create.';

    CREATE OR REPLACE FUNCTION public.pgmq_create_non_partitioned(queue_name text)
    RETURNS void
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT pgmq.create_non_partitioned($1);
    $$;
    COMMENT ON FUNCTION public.pgmq_create_non_partitioned IS 'The older name of pgmq.create_non_partitioned.';

    -- PL/pgSQL resolves pgmq.create_partitioned when it is called, not before.
    CREATE OR REPLACE FUNCTION public.pgmq_create_partitioned(
        queue_name text, partition_interval text DEFAULT '10000', retention_interval text DEFAULT '100000'
    )
    RETURNS void
    LANGUAGE plpgsql STRICT
    SET search_path = pg_catalog, pg_temp
    AS $$
        /* pgmq api: legacy_names */
        BEGIN
            PERFORM pgmq.create_partitioned(queue_name => $1, partition_interval => $2, retention_interval => $3);
        END;
    $$;
    COMMENT ON FUNCTION public.pgmq_create_partitioned IS 'The older name of pgmq.create_partitioned.';

    CREATE OR REPLACE FUNCTION public.pgmq_send(queue_name text, message jsonb, delay integer DEFAULT 0)
    RETURNS bigint
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT id FROM pgmq.send($1, $2, $3) AS id;
    $$;
    COMMENT ON FUNCTION public.pgmq_send IS 'The older name of pgmq.send.';

    CREATE OR REPLACE FUNCTION public.pgmq_send_batch(queue_name text, messages jsonb[], delay integer DEFAULT 0)
    RETURNS SETOF bigint
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT id FROM pgmq.send_batch($1, $2, $3) AS id;
    $$;
    COMMENT ON FUNCTION public.pgmq_send_batch IS 'The older name of pgmq.send_batch.';

    CREATE OR REPLACE FUNCTION public.pgmq_read(queue_name text, vt integer, "limit" integer DEFAULT 1)
    RETURNS TABLE (msg_id bigint, read_ct integer, vt timestamptz, enqueued_at timestamptz, message jsonb)
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT m.msg_id, m.read_ct, m.vt, m.enqueued_at, m.message FROM pgmq.read($1, $2, $3) AS m;
    $$;
    COMMENT ON FUNCTION public.pgmq_read IS 'The older name of pgmq.read, with its columns in the older order.';

    CREATE OR REPLACE FUNCTION public.pgmq_read_with_poll(
        queue_name text, vt integer, "limit" integer DEFAULT 1,
        poll_timeout_s integer DEFAULT 5, poll_interval_ms integer DEFAULT 250
    )
    RETURNS TABLE (msg_id bigint, read_ct integer, vt timestamptz, enqueued_at timestamptz, message jsonb)
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT m.msg_id, m.read_ct, m.vt, m.enqueued_at, m.message FROM pgmq.read_with_poll($1, $2, $3, $4, $5) AS m;
    $$;
    COMMENT ON FUNCTION public.pgmq_read_with_poll IS 'The older name of pgmq.read_with_poll, with its columns in the older order.';

    CREATE OR REPLACE FUNCTION public.pgmq_pop(queue_name text)
    RETURNS TABLE (msg_id bigint, read_ct integer, vt timestamptz, enqueued_at timestamptz, message jsonb)
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT m.msg_id, m.read_ct, m.vt, m.enqueued_at, m.message FROM pgmq.pop($1) AS m;
    $$;
    COMMENT ON FUNCTION public.pgmq_pop IS 'The older name of pgmq.pop, with its columns in the older order.';

    CREATE OR REPLACE FUNCTION public.pgmq_delete(queue_name text, msg_id bigint)
    RETURNS boolean
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT pgmq.delete($1, $2);
    $$;
    COMMENT ON FUNCTION public.pgmq_delete(text, bigint) IS 'The older name of pgmq.delete.';

    CREATE OR REPLACE FUNCTION public.pgmq_delete(queue_name text, msg_ids bigint[])
    RETURNS SETOF boolean
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT deleted.id IS NOT NULL
        FROM pg_catalog.unnest($2) WITH ORDINALITY AS given (id, ord)
        LEFT JOIN pgmq.delete($1, $2) AS deleted (id) ON deleted.id OPERATOR(pg_catalog.=) given.id
        ORDER BY given.ord;
    $$;
    COMMENT ON FUNCTION public.pgmq_delete(text, bigint[]) IS
        'Like pgmq.delete, but tells of every id, in the order given, whether there was such a message.';

    CREATE OR REPLACE FUNCTION public.pgmq_archive(queue_name text, msg_id bigint)
    RETURNS boolean
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT pgmq.archive($1, $2);
    $$;
    COMMENT ON FUNCTION public.pgmq_archive(text, bigint) IS 'The older name of pgmq.archive.';

    CREATE OR REPLACE FUNCTION public.pgmq_archive(queue_name text, msg_ids bigint[])
    RETURNS SETOF boolean
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT archived.id IS NOT NULL
        FROM pg_catalog.unnest($2) WITH ORDINALITY AS given (id, ord)
        LEFT JOIN pgmq.archive($1, $2) AS archived (id) ON archived.id OPERATOR(pg_catalog.=) given.id
        ORDER BY given.ord;
    $$;
    COMMENT ON FUNCTION public.pgmq_archive(text, bigint[]) IS
        'Like pgmq.archive, but tells of every id, in the order given, whether there was such a message.';

    CREATE OR REPLACE FUNCTION public.pgmq_set_vt(queue_name text, msg_id bigint, vt_offset integer)
    RETURNS TABLE (msg_id bigint, read_ct integer, vt timestamptz, enqueued_at timestamptz, message jsonb)
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT m.msg_id, m.read_ct, m.vt, m.enqueued_at, m.message FROM pgmq.set_vt($1, $2, $3) AS m;
    $$;
    COMMENT ON FUNCTION public.pgmq_set_vt IS 'The older name of pgmq.set_vt, with its columns in the older order.';

    CREATE OR REPLACE FUNCTION public.pgmq_purge_queue(queue_name text)
    RETURNS bigint
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT pgmq.purge_queue($1);
    $$;
    COMMENT ON FUNCTION public.pgmq_purge_queue IS 'The older name of pgmq.purge_queue.';

    CREATE OR REPLACE FUNCTION public.pgmq_metrics(queue_name text)
    RETURNS TABLE (
        queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer,
        total_messages bigint, scrape_time timestamptz
    )
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT m.queue_name, m.queue_length, m.newest_msg_age_sec, m.oldest_msg_age_sec, m.total_messages, m.scrape_time
        FROM pgmq.metrics($1) AS m;
    $$;
    COMMENT ON FUNCTION public.pgmq_metrics IS 'The older name of pgmq.metrics, with its older columns.';

    CREATE OR REPLACE FUNCTION public.pgmq_metrics_all()
    RETURNS TABLE (
        queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer,
        total_messages bigint, scrape_time timestamptz
    )
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT m.queue_name, m.queue_length, m.newest_msg_age_sec, m.oldest_msg_age_sec, m.total_messages, m.scrape_time
        FROM pgmq.metrics_all() AS m;
    $$;
    COMMENT ON FUNCTION public.pgmq_metrics_all IS 'The older name of pgmq.metrics_all, with its older columns.';

    CREATE OR REPLACE FUNCTION public.pgmq_drop_queue(queue_name text, partitioned boolean DEFAULT false)
    RETURNS boolean
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT pgmq.drop_queue($1);
    $$;
    COMMENT ON FUNCTION public.pgmq_drop_queue IS 'The older name of pgmq.drop_queue; its second argument is ignored.';

    CREATE OR REPLACE FUNCTION public.pgmq_list_queues()
    RETURNS TABLE (queue_name text, created_at timestamptz)
    LANGUAGE sql STRICT
    AS $$
        /* pgmq api: legacy_names */
        SELECT q.queue_name, q.created_at FROM pgmq.list_queues() AS q;
    $$;
    COMMENT ON FUNCTION public.pgmq_list_queues IS 'The older name of pgmq.list_queues, with its older columns.';
END $install$;

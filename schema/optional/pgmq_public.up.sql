-- Schema pgmq_public: the six functions by which PostgREST, and so Supabase's
-- clients, use queues. Grants and row-level security on the queues' tables decide
-- what each role may do: docs/pgmq_public.md.
--
-- Optional: pgmq api install pgmq_public, or this file through psql, or any
-- other client. It is one statement, so all of it happens or nothing.
--
-- The body of each function of this API begins with a marker. A comment on the
-- function would not identify it: CREATE OR REPLACE FUNCTION keeps comments.

DO $install$
DECLARE
    marker CONSTANT text := '/* pgmq api: pgmq_public */';
    taken   text;
    grantee name;
BEGIN
    PERFORM pg_advisory_xact_lock(1885826417); -- that of the migrations

    IF to_regprocedure('pgmq.read(text, integer, integer, jsonb)') IS NULL THEN
        RAISE EXCEPTION 'schema pgmq is not up to date: apply its migrations first (pgmq migrate up)'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;

    -- Functions with other arguments count, too: PostgREST's calls could become
    -- ambiguous.
    SELECT string_agg(format('pgmq_public.%I(%s)', proname, pg_get_function_identity_arguments(oid)), ', ' ORDER BY proname)
    INTO taken
    FROM pg_catalog.pg_proc
    WHERE pronamespace = to_regnamespace('pgmq_public')
        AND proname = ANY ('{send, send_batch, read, pop, archive, delete}')
        AND NOT starts_with(ltrim(prosrc, E' \t\r\n'), marker);
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'somebody else''s function has a name that this API needs: rename or drop %, then install again', taken
            USING ERRCODE = 'duplicate_function';
    END IF;

    IF to_regnamespace('pgmq_public') IS NULL THEN
        CREATE SCHEMA pgmq_public;
        -- The way down recognises the schema by this comment.
        COMMENT ON SCHEMA pgmq_public IS 'pgmq api: pgmq_public';
    END IF;

    CREATE OR REPLACE FUNCTION pgmq_public.send(queue_name text, message jsonb, sleep_seconds integer DEFAULT 0)
    RETURNS SETOF bigint
    LANGUAGE plpgsql
    SET search_path = ''
    AS $$
        /* pgmq api: pgmq_public */
        BEGIN
            RETURN QUERY SELECT * FROM pgmq.send(queue_name => $1, msg => $2, delay => $3);
        END;
    $$;
    COMMENT ON FUNCTION pgmq_public.send IS
        'Adds a message that becomes visible after sleep_seconds, and returns its id.';

    CREATE OR REPLACE FUNCTION pgmq_public.send_batch(queue_name text, messages jsonb[], sleep_seconds integer DEFAULT 0)
    RETURNS SETOF bigint
    LANGUAGE plpgsql
    SET search_path = ''
    AS $$
        /* pgmq api: pgmq_public */
        BEGIN
            RETURN QUERY SELECT * FROM pgmq.send_batch(queue_name => $1, msgs => $2, delay => $3);
        END;
    $$;
    COMMENT ON FUNCTION pgmq_public.send_batch IS
        'Adds messages that become visible after sleep_seconds; all or none. Returns their ids in the order of messages.';

    CREATE OR REPLACE FUNCTION pgmq_public.read(queue_name text, sleep_seconds integer, n integer)
    RETURNS SETOF pgmq.message_record
    LANGUAGE plpgsql
    SET search_path = ''
    AS $$
        /* pgmq api: pgmq_public */
        BEGIN
            RETURN QUERY SELECT * FROM pgmq.read(queue_name => $1, vt => $2, qty => $3);
        END;
    $$;
    COMMENT ON FUNCTION pgmq_public.read IS
        'Hides up to n visible messages for sleep_seconds and returns them, oldest first.';

    CREATE OR REPLACE FUNCTION pgmq_public.pop(queue_name text)
    RETURNS SETOF pgmq.message_record
    LANGUAGE plpgsql
    SET search_path = ''
    AS $$
        /* pgmq api: pgmq_public */
        BEGIN
            RETURN QUERY SELECT * FROM pgmq.pop(queue_name => $1);
        END;
    $$;
    COMMENT ON FUNCTION pgmq_public.pop IS
        'Removes the oldest visible message and returns it. A caller that fails afterwards has lost it.';

    CREATE OR REPLACE FUNCTION pgmq_public.archive(queue_name text, message_id bigint)
    RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = ''
    AS $$
        /* pgmq api: pgmq_public */
        BEGIN
            RETURN pgmq.archive(queue_name => $1, msg_id => $2);
        END;
    $$;
    COMMENT ON FUNCTION pgmq_public.archive IS 'Moves a message to the archive; false when it did not exist.';

    CREATE OR REPLACE FUNCTION pgmq_public.delete(queue_name text, message_id bigint)
    RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = ''
    AS $$
        /* pgmq api: pgmq_public */
        BEGIN
            RETURN pgmq.delete(queue_name => $1, msg_id => $2);
        END;
    $$;
    COMMENT ON FUNCTION pgmq_public.delete IS 'Deletes a message; false when it did not exist.';

    -- Not to PUBLIC, so that an operator can withhold a function from a role.
    REVOKE ALL ON FUNCTION
        pgmq_public.send(text, jsonb, integer), pgmq_public.send_batch(text, jsonb[], integer),
        pgmq_public.read(text, integer, integer), pgmq_public.pop(text),
        pgmq_public.archive(text, bigint), pgmq_public.delete(text, bigint)
    FROM PUBLIC;

    -- The roles of PostgREST in Supabase, where they exist. To use a queue they
    -- need grants on its tables, too.
    FOR grantee IN
        SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA pgmq, pgmq_public TO %I', grantee);
        -- Postgres only warns when nothing was granted.
        IF NOT has_schema_privilege(grantee, 'pgmq', 'USAGE') THEN
            RAISE EXCEPTION 'only the owner of schema pgmq can let % use it: install as that role', grantee
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        EXECUTE format(
            'GRANT EXECUTE ON FUNCTION
                pgmq_public.send(text, jsonb, integer), pgmq_public.send_batch(text, jsonb[], integer),
                pgmq_public.read(text, integer, integer), pgmq_public.pop(text),
                pgmq_public.archive(text, bigint), pgmq_public.delete(text, bigint)
            TO %I', grantee
        );
    END LOOP;
END $install$;

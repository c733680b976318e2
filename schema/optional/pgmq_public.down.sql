-- Removes the functions of pgmq_public.up.sql and no others. The schema, and the API
-- roles' USAGE on schema pgmq, stay while pgmq_public contains other functions.

DO $remove$
DECLARE
    ours    regprocedure;
    grantee name;
BEGIN
    PERFORM pg_advisory_xact_lock(1885826417); -- that of the migrations

    FOR ours IN
        SELECT oid
        FROM pg_catalog.pg_proc
        WHERE pronamespace = to_regnamespace('pgmq_public')
            AND proname = ANY ('{send, send_batch, read, pop, archive, delete}')
            AND starts_with(ltrim(prosrc, E' \t\r\n'), '/* pgmq api: pgmq_public */')
    LOOP
        EXECUTE format('DROP FUNCTION %s', ours);
    END LOOP;

    -- Not ours, never installed, or still needed.
    IF obj_description(to_regnamespace('pgmq_public'), 'pg_namespace') IS DISTINCT FROM 'pgmq api: pgmq_public'
        OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = to_regnamespace('pgmq_public'))
    THEN
        RETURN;
    END IF;

    FOR grantee IN
        SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN ('anon', 'authenticated', 'service_role')
    LOOP
        EXECUTE format('REVOKE USAGE ON SCHEMA pgmq FROM %I', grantee);
    END LOOP;
    BEGIN
        DROP SCHEMA pgmq_public;
    EXCEPTION WHEN dependent_objects_still_exist THEN
        RAISE NOTICE 'schema pgmq_public stays: there is something of other origin in it';
    END;
END $remove$;

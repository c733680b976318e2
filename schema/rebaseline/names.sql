-- Takes a database from version 22 of the history before the first release to the
-- present history. Queues, messages, archives, bindings and privileges stay. It
-- locks no queue. What follows in the same transaction replaces the functions.
DO $$
DECLARE
    name     record;
    sequence text;
    grantee  oid;
    acl      aclitem[];
BEGIN
    PERFORM pg_advisory_xact_lock(1885826417); -- that of the migrations
    IF to_regclass('pgmq.template_queue') IS NULL OR to_regprocedure('pgmq._retire(text[])') IS NULL
        OR ARRAY(
            SELECT DISTINCT version_id::integer FROM public.pgmq_schema_version WHERE version_id > 0 AND is_applied ORDER BY 1
        ) <> ARRAY(SELECT generate_series(1, 22))
    THEN
        RAISE EXCEPTION 'schema pgmq is not at version 22 of the history before the first release'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;

    -- Renamed, so that they keep their privileges.
    FOR name IN
        SELECT * FROM (VALUES
            ('_retire(text[])', '_drop_outdated'),
            ('_announcer_name(text)', '_notifier_name'),
            ('_announcer(text)', '_notifier'),
            ('_announcement_key(text)', '_notify_lock_key'),
            ('_announce(text)', '_notify_listeners'),
            ('_came_up_short(text)', '_reader_found_less'),
            ('_announce_now(text)', '_fire_notify_trigger'),
            ('_stop_announcing(text, text)', '_drop_notify_trigger'),
            ('_in_seconds(integer)', '_seconds_from_now'),
            ('_hold_groups(text, timestamptz, integer, boolean)', '_lock_groups'),
            ('_topic_beginning(text)', '_topic_prefix'),
            ('_topic_end(text)', '_topic_suffix'),
            ('_storage(text)', '_storage_parameters'),
            ('_partition_front(text, text)', '_partition_high_water'),
            ('_make_partition(text, text, text, text, text)', '_create_partition'),
            ('_renew_storage(text)', '_apply_storage'),
            ('_wait_key(text)', '_subscription_lock_key'),
            ('_wake(text, boolean)', '_notify_consumers'),
            ('_bury(text, text, bigint[], integer[], timestamptz[], jsonb[])', '_dead_letter')
        ) AS names (was, becomes)
    LOOP
        EXECUTE format('ALTER FUNCTION pgmq.%s RENAME TO %I', name.was, name.becomes);
    END LOOP;
    -- The columns of an index have the names of its functions.
    ALTER TABLE pgmq.idx_topic_bindings_ends RENAME COLUMN _topic_beginning TO _topic_prefix;
    ALTER TABLE pgmq.idx_topic_bindings_ends RENAME COLUMN _topic_end TO _topic_suffix;

    -- A new one, because its parameter has another name.
    acl := (SELECT proacl FROM pg_proc WHERE oid = 'pgmq._nobody_waits(regclass)'::regprocedure);
    DROP FUNCTION pgmq._nobody_waits(regclass);
    CREATE FUNCTION pgmq._listeners_notified(notifier regclass) RETURNS boolean LANGUAGE sql AS 'SELECT false';
    IF acl IS NOT NULL THEN
        REVOKE ALL ON FUNCTION pgmq._listeners_notified(regclass) FROM PUBLIC;
        FOR grantee IN SELECT a.grantee FROM aclexplode(acl) AS a LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION pgmq._listeners_notified(regclass) TO %s',
                CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END);
        END LOOP;
    END IF;

    ALTER TABLE pgmq.partitioned_tables ALTER retention_interval DROP NOT NULL;
    DROP FUNCTION IF EXISTS pgmq._index_name(text);

    FOR sequence IN
        SELECT relname FROM pg_class
        WHERE relnamespace = 'pgmq'::regnamespace AND relkind = 'S' AND relname ~ '^announcer_[0-9a-f]{32}$'
    LOOP
        EXECUTE format('ALTER SEQUENCE pgmq.%I RENAME TO %I', sequence, replace(sequence, 'announcer', 'notifier'));
    END LOOP;
END $$;

ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT EXECUTE ON FUNCTIONS TO PUBLIC;

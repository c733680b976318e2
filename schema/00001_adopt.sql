-- A database with PGMQ: its extension or its SQL, from version 1.4 on. All that
-- adopts it is in this file, and in the last migration, which changes the storage
-- of its queues. In a database without PGMQ this file makes the schema and one
-- function.
--
-- PGMQ's clients go on meanwhile. So what their calls depend on changes in the
-- transaction that also replaces the functions: this file prepares these changes
-- as functions _adopt_…, and the migrations of the functions run and drop them.

-- +goose Up
-- The members of the extension become ordinary objects and keep their rows. The
-- extension stays registered and empty: clients that ask for it still find it.
-- +goose StatementBegin
DO $$
DECLARE
    member record;
    old    text;
BEGIN
    FOR member IN
        SELECT o.type, o.identity
        FROM pg_catalog.pg_extension AS e
        JOIN pg_catalog.pg_depend AS d
            ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e',
        pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) AS o
        WHERE e.extname = 'pgmq'
    LOOP
        EXECUTE format('ALTER EXTENSION pgmq DROP %s %s', member.type, member.identity);
    END LOOP;

    -- _adopt_messages adds columns and locks each queue for that moment. Calls of
    -- PGMQ's functions that wait for this lock must not return new columns by a
    -- star. Polls that find nothing must release their lock on the table: an
    -- exception undoes it.
    FOR old IN
        SELECT CASE WHEN p.proname ~ '_with_poll$' THEN
            format(
                'CREATE OR REPLACE FUNCTION pgmq.%I(%s) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS %L',
                p.proname, pg_get_function_arguments(p.oid), format(
                    'DECLARE
                        stop_at CONSTANT timestamptz := clock_timestamp() + make_interval(secs => $4);
                    BEGIN
                        WHILE clock_timestamp() < stop_at LOOP
                            BEGIN
                                RETURN QUERY SELECT %s FROM pgmq.%I($1, $2, $3 %s) AS message_record;
                                IF FOUND THEN
                                    RETURN;
                                END IF;
                                RAISE no_data_found;
                            EXCEPTION WHEN no_data_found THEN
                                PERFORM pg_sleep($5 / 1000.0);
                            END;
                        END LOOP;
                    END',
                    record_.columns, replace(p.proname, '_with_poll', ''), CASE p.pronargs WHEN 6 THEN ', $6' END
                )
            )
        ELSE
            regexp_replace(pg_get_functiondef(p.oid), E'RETURNING\\s+\\*', 'RETURNING ' || record_.columns, 'gi')
        END
        FROM pg_catalog.pg_proc AS p, LATERAL (
            SELECT string_agg(CASE WHEN p.proname ~ '_with_poll$' THEN 'message_record.' ELSE '' END || quote_ident(attname), ', ' ORDER BY attnum) AS columns
            FROM pg_catalog.pg_attribute
            WHERE attrelid = to_regclass('pgmq.message_record') AND attnum > 0 AND NOT attisdropped
        ) AS record_
        WHERE p.pronamespace = to_regnamespace('pgmq') AND p.prorettype = to_regtype('pgmq.message_record')
            AND (p.prosrc ~* E'RETURNING\\s+\\*' OR p.proname ~ '^read.*_with_poll$')
    LOOP
        EXECUTE old;
    END LOOP;
END $$;
-- +goose StatementEnd

CREATE SCHEMA IF NOT EXISTS pgmq;

-- A database may have revoked this right from PUBLIC for all functions to come. Ours
-- do nothing that their caller may not do, and call each other: the grants on tables
-- decide.
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT EXECUTE ON FUNCTIONS TO PUBLIC;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._drop_outdated(names text[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    -- The functions of PGMQ 1.13.1. CREATE OR REPLACE keeps their privileges, and
    -- calls that have just begun still find them.
    latest CONSTANT text := $latest$
        _belongs_to_pgmq(table_name text) boolean
        _create_fifo_index_if_not_exists(queue_name text) void
        _ensure_pg_partman_installed() void
        _extension_exists(extension_name text) boolean
        _get_partition_col(partition_interval text) text
        _get_pg_partman_major_version() integer
        _get_pg_partman_schema() text
        _send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) SETOF bigint
        _validate_batch_params(msgs jsonb[], headers jsonb[]) void
        archive(queue_name text, msg_id bigint) boolean
        archive(queue_name text, msg_ids bigint[]) SETOF bigint
        bind_topic(pattern text, queue_name text) void
        convert_archive_partitioned(table_name text, partition_interval text DEFAULT '10000'::text, retention_interval text DEFAULT '100000'::text, leading_partition integer DEFAULT 10) void
        create_fifo_index(queue_name text) void
        create_fifo_indexes_all() void
        create_partitioned(queue_name text, partition_interval text DEFAULT '10000'::text, retention_interval text DEFAULT '100000'::text, premake integer DEFAULT 4) void
        delete(queue_name text, msg_id bigint) boolean
        delete(queue_name text, msg_ids bigint[]) SETOF bigint
        detach_archive(queue_name text) void
        disable_notify_insert(queue_name text) void
        enable_notify_insert(queue_name text, throttle_interval_ms integer DEFAULT 250) void
        list_notify_insert_throttles() TABLE(queue_name text, throttle_interval_ms integer, last_notified_at timestamptz)
        list_topic_bindings() TABLE(pattern text, queue_name text, bound_at timestamptz, compiled_regex text)
        list_topic_bindings(queue_name text) TABLE(pattern text, queue_name text, bound_at timestamptz, compiled_regex text)
        metrics(queue_name text) pgmq.metrics_result
        metrics_all() SETOF pgmq.metrics_result
        notify_queue_listeners() trigger
        pop(queue_name text, qty integer DEFAULT 1) SETOF pgmq.message_record
        read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}'::jsonb) SETOF pgmq.message_record
        read_grouped(queue_name text, vt integer, qty integer) SETOF pgmq.message_record
        read_grouped_head(queue_name text, vt integer, qty integer) SETOF pgmq.message_record
        read_grouped_head_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100) SETOF pgmq.message_record
        read_grouped_rr(queue_name text, vt integer, qty integer) SETOF pgmq.message_record
        read_grouped_rr_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100) SETOF pgmq.message_record
        read_grouped_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100) SETOF pgmq.message_record
        read_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100, conditional jsonb DEFAULT '{}'::jsonb) SETOF pgmq.message_record
        send(queue_name text, msg jsonb) SETOF bigint
        send(queue_name text, msg jsonb, delay integer) SETOF bigint
        send(queue_name text, msg jsonb, delay timestamptz) SETOF bigint
        send(queue_name text, msg jsonb, headers jsonb) SETOF bigint
        send(queue_name text, msg jsonb, headers jsonb, delay integer) SETOF bigint
        send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) SETOF bigint
        send_batch(queue_name text, msgs jsonb[]) SETOF bigint
        send_batch(queue_name text, msgs jsonb[], delay integer) SETOF bigint
        send_batch(queue_name text, msgs jsonb[], delay timestamptz) SETOF bigint
        send_batch(queue_name text, msgs jsonb[], headers jsonb[]) SETOF bigint
        send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer) SETOF bigint
        send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) SETOF bigint
        send_batch_topic(routing_key text, msgs jsonb[]) TABLE(queue_name text, msg_id bigint)
        send_batch_topic(routing_key text, msgs jsonb[], delay integer) TABLE(queue_name text, msg_id bigint)
        send_batch_topic(routing_key text, msgs jsonb[], delay timestamptz) TABLE(queue_name text, msg_id bigint)
        send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[]) TABLE(queue_name text, msg_id bigint)
        send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay integer) TABLE(queue_name text, msg_id bigint)
        send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay timestamptz) TABLE(queue_name text, msg_id bigint)
        send_topic(routing_key text, msg jsonb) integer
        send_topic(routing_key text, msg jsonb, delay integer) integer
        send_topic(routing_key text, msg jsonb, headers jsonb, delay integer) integer
        set_vt(queue_name text, msg_id bigint, vt integer) SETOF pgmq.message_record
        set_vt(queue_name text, msg_id bigint, vt timestamptz) SETOF pgmq.message_record
        set_vt(queue_name text, msg_ids bigint[], vt integer) SETOF pgmq.message_record
        set_vt(queue_name text, msg_ids bigint[], vt timestamptz) SETOF pgmq.message_record
        test_routing(routing_key text) TABLE(pattern text, queue_name text, compiled_regex text)
        unbind_topic(pattern text, queue_name text) boolean
        update_notify_insert(queue_name text, throttle_interval_ms integer) void
        validate_routing_key(routing_key text) boolean
        validate_topic_pattern(pattern text) boolean
    $latest$;
    old regprocedure;
BEGIN
    FOR old IN
        SELECT oid
        FROM pg_proc
        WHERE pronamespace = 'pgmq'::regnamespace AND proname = ANY ($1) AND (prokind <> 'f' OR strpos(latest, format(
            E' %s(%s) %s\n',
            proname,
            replace(pg_get_function_arguments(oid), 'timestamp with time zone', 'timestamptz'),
            replace(pg_get_function_result(oid), 'timestamp with time zone', 'timestamptz')
        )) = 0)
    LOOP
        BEGIN
            EXECUTE format('DROP ROUTINE %s', old);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            -- A view or a trigger depends on it: replacing keeps both.
            RAISE NOTICE '% is in use, and replaced where it stands', old;
        END;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._drop_outdated IS
    'Drops the functions with these names whose arguments, defaults or results differ from PGMQ 1.13.1.';

-- +goose StatementBegin
DO $adopt$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'pgmq'::regnamespace) THEN
        RETURN; -- no PGMQ
    END IF;

    -- For the migration that replaces the functions of notifications.
    CREATE OR REPLACE FUNCTION pgmq._adopt_throttles() RETURNS void LANGUAGE plpgsql AS $step$
    DECLARE
        patience  CONSTANT text    := current_setting('lock_timeout');
        has_table CONSTANT boolean := to_regclass('pgmq.notify_insert_throttle') IS NOT NULL;
    BEGIN
        -- A sender of PGMQ's locks a row of the throttle until it commits. Other
        -- sessions must not queue up behind this one for long.
        FOR attempt IN 1..30 LOOP
            BEGIN
                PERFORM set_config('lock_timeout', '500ms', true);
                LOCK TABLE pgmq.meta IN SHARE ROW EXCLUSIVE MODE;
                IF has_table THEN
                    LOCK TABLE pgmq.notify_insert_throttle IN ACCESS EXCLUSIVE MODE;
                END IF;
                EXIT;
            EXCEPTION WHEN lock_not_available THEN
                IF attempt = 30 THEN
                    RAISE EXCEPTION 'pgmq.meta or pgmq.notify_insert_throttle is in use by open transactions'
                        USING ERRCODE = 'lock_not_available',
                              HINT = 'The queues were not changed. End the transactions that hold them, and migrate again.';
                END IF;
                PERFORM pg_sleep(0.5);
            END;
        END LOOP;
        PERFORM set_config('lock_timeout', patience, true);
        IF NOT has_table THEN
            RETURN;
        END IF;

        ALTER TABLE pgmq.notify_insert_throttle
            ADD COLUMN IF NOT EXISTS throttle_interval_ms integer DEFAULT 0 NOT NULL,
            ADD COLUMN IF NOT EXISTS last_notified_at timestamptz DEFAULT to_timestamp(0) NOT NULL;
        -- PGMQ's table is UNLOGGED: a crash of the server empties it.
        ALTER TABLE pgmq.notify_insert_throttle SET LOGGED;
        ALTER TABLE pgmq.notify_insert_throttle SET (fillfactor = 50);
        -- PGMQ's index of this name contains the time, which prevents HOT updates.
        DROP INDEX IF EXISTS pgmq.idx_notify_throttle_active;
        DELETE FROM pgmq.notify_insert_throttle AS t
        WHERE NOT EXISTS (SELECT FROM pgmq.meta AS m WHERE m.queue_name = t.queue_name);
        ALTER TABLE pgmq.notify_insert_throttle
            DROP CONSTRAINT IF EXISTS notify_insert_throttle_meta_queue_name_fk,
            ADD CONSTRAINT notify_insert_throttle_meta_queue_name_fk
                FOREIGN KEY (queue_name) REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE;
    END
    $step$;

    -- For the migration that replaces read, pop and what else names the columns of
    -- a queue.
    CREATE OR REPLACE FUNCTION pgmq._adopt_messages() RETURNS void LANGUAGE plpgsql AS $step$
    DECLARE
        patience   CONSTANT text := current_setting('lock_timeout');
        record_    CONSTANT oid := (SELECT typrelid FROM pg_catalog.pg_type WHERE oid = 'pgmq.message_record'::regtype);
        attributes CONSTANT text[] := ARRAY(
            SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = record_ AND NOT attisdropped
        );
        misled     CONSTANT text := (
            SELECT string_agg(DISTINCT pg_describe_object(classid, objid, 0), ', ')
            FROM pg_catalog.pg_depend
            WHERE refclassid = 'pg_catalog.pg_class'::regclass AND refobjid = record_ AND refobjsubid > 3
                -- Postgres 14 records which function a view calls, not which columns it names.
                OR refclassid = 'pg_catalog.pg_proc'::regclass AND current_setting('server_version_num')::integer < 150000
                AND refobjid IN (SELECT oid FROM pg_catalog.pg_proc WHERE prorettype = 'pgmq.message_record'::regtype)
        );
        incomplete text[];
        incomplete_table text;
        give_up_at timestamptz;
    BEGIN
        IF 'last_read_at' <> ALL (attributes) AND misled IS NOT NULL THEN
            RAISE EXCEPTION 'the columns of pgmq.message_record move, and % would read the wrong ones', misled
                USING ERRCODE = 'dependent_objects_still_exist',
                      HINT = 'The queues were not changed. Drop it, migrate again, and create it anew.';
        END IF;

        -- All locks or none, and no long wait: other sessions queue up behind a
        -- session that waits for a lock.
        FOR attempt IN 1..30 LOOP
            incomplete := ARRAY(
                SELECT format('pgmq.%I', c.relname)
                FROM pg_catalog.pg_class AS c
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
                WHERE c.relnamespace = 'pgmq'::regnamespace
                    AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname ~ '^[qa]_'
                GROUP BY c.relname
                HAVING array_agg(a.attname::text) @> '{msg_id, read_ct, enqueued_at, vt, message}'
                    AND NOT array_agg(a.attname::text) @> '{last_read_at, headers}'
                ORDER BY c.relname
            );
            give_up_at := clock_timestamp() + interval '500 ms' * (1 + attempt / 15);
            BEGIN
                FOREACH incomplete_table IN ARRAY incomplete LOOP
                    PERFORM set_config('lock_timeout', format(
                        '%sms', greatest(1, round(1000 * extract(epoch FROM give_up_at - clock_timestamp())))
                    ), true);
                    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', incomplete_table);
                END LOOP;
                EXIT;
            EXCEPTION WHEN lock_not_available OR undefined_table THEN
                IF attempt = 30 THEN
                    RAISE EXCEPTION 'the tables of the queues are in use by open transactions'
                        USING ERRCODE = 'lock_not_available',
                              HINT = 'The queues were not changed. End the transactions that hold them, and migrate again.';
                END IF;
                PERFORM pg_sleep(0.5);
            END;
        END LOOP;
        PERFORM set_config('lock_timeout', patience, true);

        FOREACH incomplete_table IN ARRAY incomplete LOOP
            EXECUTE format(
                'ALTER TABLE %s
                    ADD COLUMN IF NOT EXISTS last_read_at timestamptz,
                    ADD COLUMN IF NOT EXISTS headers jsonb',
                incomplete_table
            );
        END LOOP;

        -- Changed in place, attribute by attribute: DROP TYPE would also drop the
        -- users' functions that return it.
        IF 'last_read_at' <> ALL (attributes) THEN
            ALTER TYPE pgmq.message_record RENAME ATTRIBUTE vt TO last_read_at;
            ALTER TYPE pgmq.message_record RENAME ATTRIBUTE message TO vt;
            ALTER TYPE pgmq.message_record ALTER ATTRIBUTE vt SET DATA TYPE timestamptz;
            IF 'headers' = ANY (attributes) THEN
                ALTER TYPE pgmq.message_record RENAME ATTRIBUTE headers TO message;
            ELSE
                ALTER TYPE pgmq.message_record ADD ATTRIBUTE message jsonb;
            END IF;
            ALTER TYPE pgmq.message_record ADD ATTRIBUTE headers jsonb;
            -- Sessions cache plans that expect the old attributes. A change of the
            -- schema's privileges invalidates them, a change of a type does not.
            GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
        END IF;
    END
    $step$;

    -- For the migration that replaces metrics.
    CREATE OR REPLACE FUNCTION pgmq._adopt_metrics() RETURNS void LANGUAGE plpgsql AS $step$
    DECLARE
        attribute text;
    BEGIN
        -- PGMQ appended the attributes in this order, too.
        FOREACH attribute IN ARRAY '{queue_visible_length, default_partition_length}'::text[] LOOP
            IF NOT EXISTS (
                SELECT FROM pg_catalog.pg_attribute AS a
                JOIN pg_catalog.pg_type AS t ON t.typrelid = a.attrelid
                WHERE t.oid = 'pgmq.metrics_result'::regtype AND a.attname = attribute AND NOT a.attisdropped
            ) THEN
                EXECUTE format('ALTER TYPE pgmq.metrics_result ADD ATTRIBUTE %I bigint', attribute);
                -- Invalidates cached plans that expect the old attributes.
                GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
            END IF;
        END LOOP;
    END
    $step$;
END $adopt$;
-- +goose StatementEnd

-- +goose Down
-- IF EXISTS: a way up that stopped half-way has not run them.
DROP FUNCTION IF EXISTS pgmq._adopt_throttles(), pgmq._adopt_messages(), pgmq._adopt_metrics();
DROP FUNCTION pgmq._drop_outdated(text[]);
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
DROP SCHEMA pgmq;

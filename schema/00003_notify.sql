-- Waking listeners: LISTEN "pgmq.q_<name>.INSERT" hears of new messages.
--
-- Nobody waits for anybody here. A sender decides at its commit. It keeps quiet
-- only when three things hold: an announcement was made within the interval, it
-- has reached everybody, and no reader has come up short since. The last two are
-- in a sequence, the announcer, because a sequence is seen by all at once: it
-- holds the transaction that announced last, or 1 while a reader waits.
--
-- Between that decision and its commit a sender holds a shared advisory lock. A
-- reader who comes up short first says so and then tries that lock: free, all
-- who kept quiet can be seen by now, and it looks once more.

-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._retire(names text[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- What PGMQ's latest version has. It is replaced where it stands: with its
    -- privileges, and not under the feet of calls that have just begun.
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
            -- A view or a trigger stands on it: replacing keeps both.
            RAISE NOTICE '% is in use, and replaced where it stands', old;
        END;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._retire IS
    'Drops the functions of these names that older versions of PGMQ had with other arguments, defaults or results.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._listed_name(queue_name text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.queue_name
    FROM pgmq.meta AS m
    WHERE pgmq.format_table_name(m.queue_name, 'q') = pgmq.format_table_name($1, 'q')
    ORDER BY m.queue_name <> $1
    LIMIT 1;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._listed_name IS 'The name of a queue as pgmq.meta has it: capitals do not count. NULL when there is none.';


-- An UNLOGGED table, as PGMQ made it, is empty after a crash.
CREATE TABLE IF NOT EXISTS pgmq.notify_insert_throttle (
    queue_name           varchar     UNIQUE NOT NULL,
    throttle_interval_ms integer     DEFAULT 0 NOT NULL,
    last_notified_at     timestamptz DEFAULT to_timestamp(0) NOT NULL
);
COMMENT ON TABLE pgmq.notify_insert_throttle IS 'One row for every queue whose messages are announced.';
-- PGMQ's senders hold a row of it until they commit: an open transaction must not
-- make the others wait behind this for long.
-- +goose StatementBegin
DO $$
DECLARE
    patience CONSTANT text := current_setting('lock_timeout');
BEGIN
    FOR attempt IN 1..30 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '500ms', true);
            LOCK TABLE pgmq.meta IN SHARE ROW EXCLUSIVE MODE;
            LOCK TABLE pgmq.notify_insert_throttle IN ACCESS EXCLUSIVE MODE;
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
END $$;
-- +goose StatementEnd
ALTER TABLE pgmq.notify_insert_throttle
    ADD COLUMN IF NOT EXISTS throttle_interval_ms integer DEFAULT 0 NOT NULL,
    ADD COLUMN IF NOT EXISTS last_notified_at timestamptz DEFAULT to_timestamp(0) NOT NULL;
ALTER TABLE pgmq.notify_insert_throttle SET LOGGED;
-- So that noting the time is a HOT update. PGMQ's index of this name has the time
-- in it, which prevents that.
ALTER TABLE pgmq.notify_insert_throttle SET (fillfactor = 50);
DROP INDEX IF EXISTS pgmq.idx_notify_throttle_active;
CREATE INDEX idx_notify_throttle_active ON pgmq.notify_insert_throttle (queue_name) WHERE throttle_interval_ms > 0;
DELETE FROM pgmq.notify_insert_throttle AS t
WHERE NOT EXISTS (SELECT FROM pgmq.meta AS m WHERE m.queue_name = t.queue_name);
ALTER TABLE pgmq.notify_insert_throttle
    DROP CONSTRAINT IF EXISTS notify_insert_throttle_meta_queue_name_fk,
    ADD CONSTRAINT notify_insert_throttle_meta_queue_name_fk
        FOREIGN KEY (queue_name) REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE;

SELECT pgmq._retire('{
    enable_notify_insert, disable_notify_insert, update_notify_insert, list_notify_insert_throttles, notify_queue_listeners
}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._announcer_name(queue_name text)
RETURNS text
LANGUAGE sql
AS $$
    -- A queue's name may leave no room for a prefix.
    SELECT 'announcer_' OPERATOR(pg_catalog.||) pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(
        pg_catalog.convert_to(pgmq.format_table_name($1, 'q'), 'UTF8')
    ), 'hex'), 32);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._announcer_name IS
    'The sequence that belongs to a queue with announcements: the transaction that announced last, or 1 while a reader waits.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._announcer(queue_name text)
RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    announcer CONSTANT regclass := to_regclass('pgmq.' || pgmq._announcer_name($1));
BEGIN
    IF has_sequence_privilege(announcer, 'SELECT') AND has_sequence_privilege(announcer, 'UPDATE') THEN
        RETURN announcer;
    END IF;
    RETURN NULL;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._announcer IS 'The announcer of a queue; NULL when there is none that the caller may use.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._announcement_key(queue_name text)
RETURNS bigint
LANGUAGE sql
AS $$
    SELECT pg_catalog.hashtextextended('pgmq.notify.' OPERATOR(pg_catalog.||) pgmq.format_table_name($1, 'q'), 0);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._announcement_key IS
    'The advisory lock of a queue that senders share from the decision to keep quiet to their commit.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._announce(queue_name text)
RETURNS void
LANGUAGE sql
AS $$
    -- As a name it is cut off where LISTEN cuts it off.
    SELECT pg_catalog.pg_notify(
        ('pgmq.q_' OPERATOR(pg_catalog.||) $1 OPERATOR(pg_catalog.||) '.INSERT')::pg_catalog.name::pg_catalog.text, ''
    );
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._announce IS 'Tells the listeners of a queue that there is something to read.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._nobody_waits(announcer regclass)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last bigint := pg_sequence_last_value($1);
BEGIN
    -- What was announced by a transaction that failed was not heard. One that
    -- the snapshot does not know may be of another server, before a restore.
    IF last > 1 AND pg_visible_in_snapshot(last::text::xid8, pg_current_snapshot()) THEN
        RETURN coalesce(pg_xact_status(last::text::xid8) = 'committed', false);
    END IF;
    RETURN false;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._nobody_waits IS
    'Whether an announcement has reached all listeners since a reader last came up short.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.notify_queue_listeners()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Triggers of PGMQ up to 1.13.0 have no argument.
    queue     CONSTANT text := coalesce(TG_ARGV[0], substr(TG_TABLE_NAME, 3));
    at        CONSTANT timestamptz := clock_timestamp();
    announcer CONSTANT regclass := pgmq._announcer(queue);
    throttle  pgmq.notify_insert_throttle;
    pause     interval;
BEGIN
    -- Whoever may not know, or cannot, announces.
    IF announcer IS NOT NULL AND has_table_privilege('pgmq.notify_insert_throttle', 'SELECT') THEN
        SELECT * INTO throttle FROM pgmq.notify_insert_throttle WHERE queue_name = queue;
        pause := make_interval(secs => throttle.throttle_interval_ms / 1000.0);

        -- Asked a second time under the lock, which those who announce leave alone.
        IF at >= throttle.last_notified_at AND at < throttle.last_notified_at + pause
            AND pgmq._nobody_waits(announcer)
            AND pg_try_advisory_xact_lock_shared(pgmq._announcement_key(queue))
            AND pgmq._nobody_waits(announcer)
        THEN
            RETURN NULL;
        END IF;
        PERFORM setval(announcer, pg_current_xact_id()::text::bigint);

        -- Once in an interval one of those who announce notes the time; it waits
        -- for no other. Elsewhere than in READ COMMITTED it might have to fail.
        IF throttle.throttle_interval_ms = 0 THEN
            pause := make_interval(secs => 0.25);
        END IF;
        IF NOT (at >= throttle.last_notified_at AND at < throttle.last_notified_at + pause)
            AND current_setting('transaction_isolation') LIKE 'read %'
            AND has_column_privilege('pgmq.notify_insert_throttle', 'last_notified_at', 'UPDATE')
        THEN
            UPDATE pgmq.notify_insert_throttle
            SET last_notified_at = at
            WHERE queue_name = (
                SELECT queue_name FROM pgmq.notify_insert_throttle
                WHERE queue_name = queue AND last_notified_at = throttle.last_notified_at
                FOR NO KEY UPDATE SKIP LOCKED
            );
        END IF;
    END IF;
    PERFORM pgmq._announce(queue);
    RETURN NULL;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.notify_queue_listeners IS
    'For the trigger that pgmq.enable_notify_insert makes: announces the messages of a transaction when it commits.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._came_up_short(queue_name text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    announcer CONSTANT regclass := pgmq._announcer($1);
    key       bigint;
BEGIN
    IF announcer IS NULL THEN
        RETURN false;
    END IF;
    IF pg_sequence_last_value(announcer) IS DISTINCT FROM 1 THEN
        PERFORM setval(announcer, 1);
    END IF;
    key := pgmq._announcement_key($1);
    FOR attempt IN 1..10 LOOP
        IF pg_try_advisory_lock(key) AND pg_advisory_unlock(key) THEN
            RETURN true;
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
    -- Somebody's commit takes long: let the listeners look again.
    PERFORM pgmq._announce(convert_from(substring(tgargs FROM 1 FOR octet_length(tgargs) - 1), getdatabaseencoding()))
    FROM pg_trigger
    WHERE tgrelid = to_regclass(format('pgmq.%I', pgmq.format_table_name($1, 'q')))
        AND tgname = 'trigger_notify_queue_insert_listeners';
    RETURN false;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._came_up_short IS
    'Every reader that found less than it asked for calls this, so that the next message is announced; true when it must look once more, with a new snapshot.';

-- +goose Down
DROP FUNCTION pgmq._came_up_short(text);
DROP FUNCTION pgmq.notify_queue_listeners();
DROP FUNCTION pgmq._nobody_waits(regclass);
DROP FUNCTION pgmq._announce(text);
DROP FUNCTION pgmq._announcement_key(text);
DROP FUNCTION pgmq._announcer(text);
DROP FUNCTION pgmq._announcer_name(text);
DROP TABLE pgmq.notify_insert_throttle;
DROP FUNCTION pgmq._listed_name(text);
DROP FUNCTION pgmq._retire(text[]);

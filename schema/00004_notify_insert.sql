-- Who is announced to listeners: enable, disable and list.

-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._announce_now(q_table text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = to_regclass(format('pgmq.%I', $1))
            AND tgname = 'trigger_notify_queue_insert_listeners' AND tginitdeferred
    ) THEN
        SET CONSTRAINTS pgmq.trigger_notify_queue_insert_listeners IMMEDIATE;
        SET CONSTRAINTS pgmq.trigger_notify_queue_insert_listeners DEFERRED;
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._announce_now IS
    'Does not put off to the commit what this transaction has to announce: a table with a trigger to run cannot be emptied or dropped.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._stop_announcing(queue_name text, keeping text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    names   CONSTANT text[] := ARRAY(
        SELECT queue_name FROM pgmq.notify_insert_throttle
        WHERE pgmq.format_table_name(queue_name, 'q') = q_table AND queue_name IS DISTINCT FROM $2
    );
BEGIN
    PERFORM pgmq._announce_now(q_table);
    IF EXISTS (
        SELECT FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
        WHERE c.relnamespace = 'pgmq'::regnamespace AND c.relname = q_table
            AND g.tgname = 'trigger_notify_queue_insert_listeners'
    ) THEN
        -- Before its partitions, which DROP TRIGGER locks first.
        EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', q_table);
        EXECUTE format('DROP TRIGGER IF EXISTS trigger_notify_queue_insert_listeners ON pgmq.%I', q_table);
    END IF;
    DELETE FROM pgmq.notify_insert_throttle WHERE queue_name = ANY (names);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._stop_announcing IS
    'Takes the trigger off a queue, and its rows of pgmq.notify_insert_throttle except for one.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer DEFAULT 250)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    q_table   CONSTANT text := pgmq.format_table_name($1, 'q');
    announcer CONSTANT text := pgmq._announcer_name($1);
    queue     text;
    q         oid;
    owner     regrole;
BEGIN
    IF $2 < 0 THEN
        RAISE EXCEPTION 'throttle_interval_ms must be non-negative';
    END IF;
    PERFORM pgmq.acquire_queue_lock($1);
    queue := pgmq._listed_name($1);
    -- Not by to_regclass: who waited for an advisory lock may still have the
    -- names in mind that held before.
    SELECT oid, relowner INTO q, owner
    FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relname = q_table;
    IF q IS NULL OR queue IS NULL THEN
        RAISE EXCEPTION 'Queue "%" does not exist. Create it first using pgmq.create()', $1;
    END IF;

    IF NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = q AND tgname = 'trigger_notify_queue_insert_listeners'
            AND tgfoid = 'pgmq.notify_queue_listeners()'::regprocedure
            AND tginitdeferred AND tgqual IS NOT NULL AND tgenabled <> 'D'
            AND tgargs = convert_to(queue, getdatabaseencoding()) || '\x00'
    ) THEN
        PERFORM pgmq._stop_announcing($1, queue);
        -- One decision for a transaction: its first row asks for it.
        EXECUTE format(
            'CREATE CONSTRAINT TRIGGER trigger_notify_queue_insert_listeners
            AFTER INSERT ON pgmq.%I
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW
            WHEN (CASE
                WHEN current_setting(''pgmq.sent_'' || NEW.tableoid::text, true) = ''yes'' THEN false
                ELSE set_config(''pgmq.sent_'' || NEW.tableoid::text, ''yes'', true) = ''yes''
            END)
            EXECUTE FUNCTION pgmq.notify_queue_listeners(%L)',
            q_table, queue
        );
    END IF;

    IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relname = announcer) THEN
        EXECUTE format('CREATE SEQUENCE pgmq.%I', announcer);
        EXECUTE format('ALTER SEQUENCE pgmq.%I OWNER TO %s', announcer, owner);
        -- It goes with the queue. Not by msg_id: that has a sequence already.
        EXECUTE format('ALTER SEQUENCE pgmq.%I OWNED BY pgmq.%I.vt', announcer, q_table);
        -- Whoever may read or send must be able to say so here, and there is
        -- nothing else that one can do with it.
        EXECUTE format('GRANT SELECT, UPDATE ON SEQUENCE pgmq.%I TO PUBLIC', announcer);
    END IF;

    INSERT INTO pgmq.notify_insert_throttle AS t (queue_name, throttle_interval_ms)
    VALUES (queue, $2)
    ON CONFLICT (queue_name) DO UPDATE
    SET throttle_interval_ms = excluded.throttle_interval_ms, last_notified_at = excluded.last_notified_at;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.enable_notify_insert IS
    'Has new messages of a queue announced on the channel pgmq.q_<name>.INSERT: at most once in throttle_interval_ms, unless a reader has come up short since. Changes the interval when it is enabled already.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.disable_notify_insert(queue_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    announcer CONSTANT text := pgmq._announcer_name($1);
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    PERFORM pgmq._stop_announcing($1, NULL);
    IF EXISTS (SELECT FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relname = announcer) THEN
        EXECUTE format('DROP SEQUENCE pgmq.%I', announcer);
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.disable_notify_insert IS
    'Ends the announcements of a queue; does nothing when there are none.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.update_notify_insert(queue_name text, throttle_interval_ms integer)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    queue CONSTANT text := pgmq._listed_name($1);
BEGIN
    IF $2 < 0 THEN
        RAISE EXCEPTION 'throttle_interval_ms must be non-negative, got: %', $2;
    END IF;
    IF queue IS NULL THEN
        RAISE EXCEPTION 'Queue "%" does not exist. Create the queue first using pgmq.create()', $1;
    END IF;
    UPDATE pgmq.notify_insert_throttle
    SET throttle_interval_ms = $2, last_notified_at = DEFAULT
    WHERE queue_name = queue;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Queue "%" does not have notify_insert enabled. Enable it first using pgmq.enable_notify_insert()', $1;
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.update_notify_insert IS
    'Changes the interval of a queue''s announcements; the next message is announced.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.list_notify_insert_throttles()
RETURNS TABLE (queue_name text, throttle_interval_ms integer, last_notified_at timestamptz)
LANGUAGE sql STABLE
AS $$
    SELECT t.queue_name, t.throttle_interval_ms, t.last_notified_at
    FROM pgmq.notify_insert_throttle AS t
    ORDER BY t.queue_name;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.list_notify_insert_throttles IS
    'The queues whose messages are announced, by name. last_notified_at moves at most once in an interval.';

-- Replaces the function of an earlier migration: it does not stumble over a send
-- of its own transaction whose announcement is put off to the commit.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.purge_queue(queue_name text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table text := pgmq.format_table_name($1, 'q');
    purged  bigint;
BEGIN
    PERFORM pgmq._announce_now(q_table);
    -- Locked before it is counted: what is truncated is what was counted.
    EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', q_table);
    EXECUTE format('SELECT count(*) FROM pgmq.%I', q_table) INTO purged;
    EXECUTE format('TRUNCATE TABLE pgmq.%I', q_table);
    RETURN purged;
END;
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.purge_queue(queue_name text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table text := pgmq.format_table_name($1, 'q');
    purged  bigint;
BEGIN
    -- Locked before it is counted: what is truncated is what was counted.
    EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', q_table);
    EXECUTE format('SELECT count(*) FROM pgmq.%I', q_table) INTO purged;
    EXECUTE format('TRUNCATE TABLE pgmq.%I', q_table);
    RETURN purged;
END;
$$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
DECLARE
    item text;
BEGIN
    FOR item IN
        SELECT format('TRIGGER %I ON %s', tgname, tgrelid::regclass)
        FROM pg_catalog.pg_trigger
        WHERE tgfoid = 'pgmq.notify_queue_listeners()'::regprocedure AND tgparentid = 0
        UNION ALL
        SELECT format('SEQUENCE %s', oid::regclass)
        FROM pg_catalog.pg_class
        WHERE relnamespace = 'pgmq'::regnamespace AND relkind = 'S' AND relname ~ '^announcer_[0-9a-f]{32}$'
    LOOP
        EXECUTE 'DROP ' || item;
    END LOOP;
END $$;
-- +goose StatementEnd
DROP FUNCTION pgmq.list_notify_insert_throttles();
DROP FUNCTION pgmq.update_notify_insert(text, integer);
DROP FUNCTION pgmq.disable_notify_insert(text);
DROP FUNCTION pgmq.enable_notify_insert(text, integer);
DROP FUNCTION pgmq._stop_announcing(text, text);
DROP FUNCTION pgmq._announce_now(text);

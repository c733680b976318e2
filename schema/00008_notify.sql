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

-- An UNLOGGED table, as PGMQ made it, is empty after a crash.
CREATE TABLE IF NOT EXISTS pgmq.notify_insert_throttle (
    queue_name           varchar     UNIQUE NOT NULL,
    throttle_interval_ms integer     DEFAULT 0 NOT NULL,
    last_notified_at     timestamptz DEFAULT to_timestamp(0) NOT NULL
);
COMMENT ON TABLE pgmq.notify_insert_throttle IS 'One row for every queue whose messages are announced.';
ALTER TABLE pgmq.notify_insert_throttle
    ADD COLUMN IF NOT EXISTS throttle_interval_ms integer DEFAULT 0 NOT NULL,
    ADD COLUMN IF NOT EXISTS last_notified_at timestamptz DEFAULT to_timestamp(0) NOT NULL;
ALTER TABLE pgmq.notify_insert_throttle SET LOGGED;
-- So that noting the time is a HOT update. PGMQ's index prevents it.
ALTER TABLE pgmq.notify_insert_throttle SET (fillfactor = 50);
DROP INDEX IF EXISTS pgmq.idx_notify_throttle_active;
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
        EXECUTE format('DROP TRIGGER trigger_notify_queue_insert_listeners ON pgmq.%I', q_table);
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

-- The triggers of an older PGMQ are made anew. Until then they announce every
-- transaction.
-- +goose StatementBegin
DO $$
DECLARE
    queue    record;
    patience CONSTANT text := current_setting('lock_timeout');
BEGIN
    FOR queue IN
        SELECT m.queue_name, max(t.throttle_interval_ms) AS throttle_interval_ms
        FROM pgmq.meta AS m
        JOIN pg_catalog.pg_trigger AS g ON g.tgname = 'trigger_notify_queue_insert_listeners'
            AND g.tgrelid = to_regclass(format('pgmq.%I', pgmq.format_table_name(m.queue_name, 'q')))
        LEFT JOIN pgmq.notify_insert_throttle AS t
            ON pgmq.format_table_name(t.queue_name, 'q') = pgmq.format_table_name(m.queue_name, 'q')
        GROUP BY m.queue_name
        ORDER BY m.queue_name
    LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '2s', true);
            PERFORM pgmq.enable_notify_insert(queue.queue_name, coalesce(queue.throttle_interval_ms, 250));
        EXCEPTION WHEN lock_not_available THEN
            RAISE NOTICE 'queue % is in use and keeps its old trigger', quote_ident(queue.queue_name)
                USING HINT = format('Run this when it is quiet: SELECT pgmq.enable_notify_insert(%L)', queue.queue_name);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', patience, true);
END $$;
-- +goose StatementEnd

-- +goose Down
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
DROP FUNCTION pgmq._came_up_short(text);
DROP FUNCTION pgmq.notify_queue_listeners();
DROP FUNCTION pgmq._nobody_waits(regclass);
DROP FUNCTION pgmq._announce(text);
DROP FUNCTION pgmq._announcement_key(text);
DROP FUNCTION pgmq._announcer(text);
DROP FUNCTION pgmq._announcer_name(text);
DROP TABLE pgmq.notify_insert_throttle;

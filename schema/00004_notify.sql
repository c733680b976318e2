-- Notifications for SQL clients: LISTEN "pgmq.q_<name>.INSERT" receives one when
-- messages arrive.
--
-- No sender and no reader waits for another one. A sender decides when it commits.
-- It stays silent only if a notification was sent within the interval, if this
-- notification reached all listeners, and if no reader has found less than it
-- asked for since. The last two facts are in a sequence, the notifier, because all
-- sessions see its value at once: it holds the id of the transaction that notified
-- last, or 1 while a reader waits.
--
-- A silent sender holds a shared advisory lock from its decision to its commit. A
-- reader that found less sets the notifier to 1 and then tries that lock. If the
-- lock is free, all silent senders have committed, and the reader reads again.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    IF to_regprocedure('pgmq._adopt_throttles()') IS NOT NULL THEN
        PERFORM pgmq._adopt_throttles();
        DROP FUNCTION pgmq._adopt_throttles();
    END IF;
END $$;
-- +goose StatementEnd

CREATE TABLE IF NOT EXISTS pgmq.notify_insert_throttle (
    queue_name           varchar     UNIQUE NOT NULL
        CONSTRAINT notify_insert_throttle_meta_queue_name_fk
        REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
    throttle_interval_ms integer     DEFAULT 0 NOT NULL,
    last_notified_at     timestamptz DEFAULT to_timestamp(0) NOT NULL
) WITH (fillfactor = 50); -- an update of last_notified_at is a HOT update
COMMENT ON TABLE pgmq.notify_insert_throttle IS 'One row per queue with notifications.';
SELECT pgmq._set_replica_identity('pgmq.notify_insert_throttle');

CREATE INDEX IF NOT EXISTS idx_notify_throttle_active ON pgmq.notify_insert_throttle (queue_name) WHERE throttle_interval_ms > 0;

SELECT pgmq._drop_outdated('{
    enable_notify_insert, disable_notify_insert, update_notify_insert, list_notify_insert_throttles, notify_queue_listeners
}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._notifier_name(queue_name text)
RETURNS text
LANGUAGE sql
AS $$
    -- A hash: the name of a queue may leave no room for a prefix.
    SELECT 'notifier_' OPERATOR(pg_catalog.||) pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(
        pg_catalog.convert_to(pgmq.format_table_name($1, 'q'), 'UTF8')
    ), 'hex'), 32);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._notifier_name IS
    'The name of the sequence of a queue with notifications. Its value is the id of the transaction that notified last, or 1 while a reader waits.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._notifier(queue_name text)
RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    notifier CONSTANT regclass := to_regclass('pgmq.' || pgmq._notifier_name($1));
BEGIN
    IF has_sequence_privilege(notifier, 'SELECT') AND has_sequence_privilege(notifier, 'UPDATE') THEN
        RETURN notifier;
    END IF;
    RETURN NULL;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._notifier IS 'The notifier of a queue; NULL when there is none or the caller lacks the rights on it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._notify_lock_key(queue_name text)
RETURNS bigint
LANGUAGE sql
AS $$
    SELECT pg_catalog.hashtextextended('pgmq.notify.' OPERATOR(pg_catalog.||) pgmq.format_table_name($1, 'q'), 0);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._notify_lock_key IS
    'The key of the advisory lock that silent senders share, from their decision to their commit.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._notify_listeners(queue_name text)
RETURNS void
LANGUAGE sql
AS $$
    -- The cast to name truncates it as LISTEN does.
    SELECT pg_catalog.pg_notify(
        ('pgmq.q_' OPERATOR(pg_catalog.||) $1 OPERATOR(pg_catalog.||) '.INSERT')::pg_catalog.name::pg_catalog.text, ''
    );
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._notify_listeners IS 'Notifies the listeners of a queue on the channel pgmq.q_<name>.INSERT, at commit.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._listeners_notified(notifier regclass)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last bigint := pg_sequence_last_value($1);
BEGIN
    -- A transaction that rolled back did not notify. An id that the snapshot does
    -- not know may stem from another server, before a restore.
    IF last > 1 AND pg_visible_in_snapshot(last::text::xid8, pg_current_snapshot()) THEN
        RETURN coalesce(pg_xact_status(last::text::xid8) = 'committed', false);
    END IF;
    RETURN false;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._listeners_notified IS
    'Whether a notification has reached all listeners since a reader last found less than it asked for.';

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
    notifier CONSTANT regclass := pgmq._notifier(queue);
    throttle  pgmq.notify_insert_throttle;
    pause     interval;
BEGIN
    -- A sender without these rights always notifies.
    IF notifier IS NOT NULL AND has_table_privilege('pgmq.notify_insert_throttle', 'SELECT') THEN
        SELECT * INTO throttle FROM pgmq.notify_insert_throttle WHERE queue_name = queue;
        pause := make_interval(secs => throttle.throttle_interval_ms / 1000.0);

        -- Checked again under the lock, which senders that notify do not take.
        IF at >= throttle.last_notified_at AND at < throttle.last_notified_at + pause
            AND pgmq._listeners_notified(notifier)
            AND pg_try_advisory_xact_lock_shared(pgmq._notify_lock_key(queue))
            AND pgmq._listeners_notified(notifier)
        THEN
            RETURN NULL;
        END IF;
        PERFORM setval(notifier, pg_current_xact_id()::text::bigint);

        -- Once in an interval one of the senders that notify stores the time,
        -- without a wait. Above READ COMMITTED the update could fail the sender.
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
    PERFORM pgmq._notify_listeners(queue);
    RETURN NULL;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.notify_queue_listeners IS
    'For the trigger of pgmq.enable_notify_insert: notifies the listeners when a transaction with new messages commits.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._reader_found_less(queue_name text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    notifier CONSTANT regclass := pgmq._notifier($1);
    key       bigint;
BEGIN
    IF notifier IS NULL THEN
        RETURN false;
    END IF;
    IF pg_sequence_last_value(notifier) IS DISTINCT FROM 1 THEN
        PERFORM setval(notifier, 1);
    END IF;
    key := pgmq._notify_lock_key($1);
    FOR attempt IN 1..10 LOOP
        IF pg_try_advisory_lock(key) AND pg_advisory_unlock(key) THEN
            RETURN true;
        END IF;
        PERFORM pg_sleep(0.001);
    END LOOP;
    -- A commit takes long: notify the listeners, so that they read again.
    PERFORM pgmq._notify_listeners(convert_from(substring(tgargs FROM 1 FOR octet_length(tgargs) - 1), getdatabaseencoding()))
    FROM pg_trigger
    WHERE tgrelid = to_regclass(format('pgmq.%I', pgmq.format_table_name($1, 'q')))
        AND tgname = 'trigger_notify_queue_insert_listeners';
    RETURN false;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._reader_found_less IS
    'For a reader that found less than it asked for: has the next message notify the listeners. True when the reader must read again, with a new snapshot.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._drop_notify_trigger(queue_name text, keeping text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    names   CONSTANT text[] := ARRAY(
        SELECT queue_name FROM pgmq.notify_insert_throttle
        WHERE lower(queue_name) = lower($1) AND queue_name IS DISTINCT FROM $2
    );
BEGIN
    PERFORM pgmq._fire_notify_trigger(q_table);
    IF EXISTS (
        SELECT FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
        WHERE c.relnamespace = 'pgmq'::regnamespace AND c.relname = q_table
            AND g.tgname = 'trigger_notify_queue_insert_listeners'
    ) THEN
        -- Locks the table before its partitions. DROP TRIGGER locks those first.
        EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', q_table);
        EXECUTE format('DROP TRIGGER IF EXISTS trigger_notify_queue_insert_listeners ON pgmq.%I', q_table);
    END IF;
    DELETE FROM pgmq.notify_insert_throttle WHERE queue_name = ANY (names);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._drop_notify_trigger IS
    'Drops the trigger of a queue, and its rows of pgmq.notify_insert_throttle except for the name keeping.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer DEFAULT 250)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    q_table   CONSTANT text := pgmq.format_table_name($1, 'q');
    notifier CONSTANT text := pgmq._notifier_name($1);
    queue     text;
    q         oid;
    owner     regrole;
BEGIN
    IF $2 < 0 THEN
        RAISE EXCEPTION 'throttle_interval_ms must be non-negative';
    END IF;
    PERFORM pgmq.acquire_queue_lock($1);
    queue := pgmq._listed_name($1);
    -- Not by to_regclass: after the wait for an advisory lock, its cache may still
    -- hold names from before.
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
            AND tgargs = convert_to(queue, getdatabaseencoding()) || E'\\x00'
    ) THEN
        PERFORM pgmq._drop_notify_trigger($1, queue);
        -- Once for a transaction: its first row queues the trigger.
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

    IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relname = notifier) THEN
        EXECUTE format('CREATE SEQUENCE pgmq.%I', notifier);
        EXECUTE format('ALTER SEQUENCE pgmq.%I OWNER TO %s', notifier, owner);
        -- Dropped with the queue. Not OWNED BY msg_id, which has a sequence already.
        EXECUTE format('ALTER SEQUENCE pgmq.%I OWNED BY pgmq.%I.vt', notifier, q_table);
        -- All readers and senders set it, and it holds nothing else.
        EXECUTE format('GRANT SELECT, UPDATE ON SEQUENCE pgmq.%I TO PUBLIC', notifier);
    END IF;

    INSERT INTO pgmq.notify_insert_throttle AS t (queue_name, throttle_interval_ms)
    VALUES (queue, $2)
    ON CONFLICT (queue_name) DO UPDATE
    SET throttle_interval_ms = excluded.throttle_interval_ms, last_notified_at = excluded.last_notified_at;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.enable_notify_insert IS
    'Enables notifications of new messages on the channel pgmq.q_<name>.INSERT: at most one in throttle_interval_ms milliseconds, unless a reader has found less than it asked for since. Changes the interval when they are enabled already.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.disable_notify_insert(queue_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    notifier CONSTANT text := pgmq._notifier_name($1);
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    PERFORM pgmq._drop_notify_trigger($1, NULL);
    IF EXISTS (SELECT FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relname = notifier) THEN
        EXECUTE format('DROP SEQUENCE pgmq.%I', notifier);
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.disable_notify_insert IS
    'Disables the notifications of a queue; does nothing when there are none.';

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
    'Changes the interval between notifications of a queue, in milliseconds. The next message notifies.';

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
    'The queues with notifications, by name. last_notified_at changes at most once in an interval.';

-- +goose Down
SELECT pgmq._refuse_to_lose('pgmq.notify_insert_throttle', 'settings of notifications', 'Call pgmq.disable_notify_insert first');
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
        WHERE relnamespace = 'pgmq'::regnamespace AND relkind = 'S' AND relname ~ '^notifier_[0-9a-f]{32}$'
    LOOP
        EXECUTE 'DROP ' || item;
    END LOOP;
END $$;
-- +goose StatementEnd
DROP FUNCTION pgmq.list_notify_insert_throttles();
DROP FUNCTION pgmq.update_notify_insert(text, integer);
DROP FUNCTION pgmq.disable_notify_insert(text);
DROP FUNCTION pgmq.enable_notify_insert(text, integer);
DROP FUNCTION pgmq._drop_notify_trigger(text, text);
DROP FUNCTION pgmq._reader_found_less(text);
DROP FUNCTION pgmq.notify_queue_listeners();
DROP FUNCTION pgmq._listeners_notified(regclass);
DROP FUNCTION pgmq._notify_listeners(text);
DROP FUNCTION pgmq._notify_lock_key(text);
DROP FUNCTION pgmq._notifier(text);
DROP FUNCTION pgmq._notifier_name(text);
DROP TABLE pgmq.notify_insert_throttle;

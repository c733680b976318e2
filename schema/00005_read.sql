-- Reading and settling: read, pop, delete, archive and set_vt, by PGMQ's names.
-- And the notification of consumers, which listen on the channel "pgmq.wake".
--
-- The queries in queries/read.sql and these functions keep one contract: the tests
-- doors_*_test.go hold them together.
--
-- A NOTIFY takes a lock that all transactions of the server share, and holds it
-- while it commits. So a sender first asks whether a consumer is subscribed. A
-- subscribed consumer holds an advisory lock. Without one, the sender does not
-- notify. A new subscriber takes the lock and then checks which transactions are
-- still running, because one of them may have sent and asked too early. So a sender
-- asks when it has a transaction id, which is after its INSERT.
--
-- Functions that take messages by id find and lock them by the primary key, in the
-- order of the ids: sessions that lock them in different orders deadlock. A scan
-- of the table returns them in the order of their last update. The index on groups
-- contains the ids, too, but each id costs a scan of the whole index. The planner
-- would choose it where an open transaction keeps dead rows: few rows in many
-- pages. It assumes that the primary key, the one index in the order of the table,
-- reads all these pages. With seq_page_cost = 0 they cost nothing.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    IF to_regprocedure('pgmq._adopt_messages()') IS NOT NULL THEN
        PERFORM pgmq._adopt_messages();
        DROP FUNCTION pgmq._adopt_messages();
    END IF;
END $$;
-- +goose StatementEnd

SELECT pgmq._drop_outdated('{read, read_with_poll, pop, delete, archive, set_vt, detach_archive}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._subscription_lock_key(queue_table text)
RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
    SELECT pg_catalog.hashtextextended('pgmq.wait.' OPERATOR(pg_catalog.||) $1, 0);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._subscription_lock_key IS
    'The key of the advisory lock that the subscribed consumers of a queue share, on the connections that listen. queue_table is the queue''s table, such as q_orders.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._notify_consumers(
    queue_table text,
    alone boolean DEFAULT pg_catalog.now() OPERATOR(pg_catalog.=) pg_catalog.statement_timestamp()
)
RETURNS boolean
LANGUAGE sql
AS $$
    -- One expression, so that Postgres inlines it.
    SELECT CASE
        -- No consumer is subscribed.
        WHEN pg_catalog.pg_try_advisory_lock(pgmq._subscription_lock_key($1))
            THEN NOT pg_catalog.pg_advisory_unlock(pgmq._subscription_lock_key($1))
        -- Another statement is about to notify: this one would wait for its commit,
        -- which is near. Consumers that it wakes see this message, or wait for it.
        WHEN $2 AND NOT pg_catalog.pg_try_advisory_xact_lock(
            pg_catalog.hashtextextended('pgmq.wake.' OPERATOR(pg_catalog.||) $1, 0)
        )
            THEN false
        ELSE pg_catalog.pg_notify('pgmq.wake', $1) IS NOT NULL
    END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._notify_consumers IS
    'Notifies the subscribed consumers of a queue on the channel pgmq.wake, at commit. The payload is the queue''s table, such as q_orders. False when no consumer is subscribed, or when another transaction of one statement is about to notify. alone says that this statement is the whole transaction; others rely on its commit. By default that is so for a statement without parameters.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._all_stored(relation text, stored bigint, asked bigint, inputs integer[] DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF $2 = $3 THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION '% of % messages were not stored in pgmq.%', $3 - $2, $3, quote_ident($1) USING
        ERRCODE = 'triggered_data_change_violation',
        TABLE = $1,
        DETAIL = CASE WHEN $4 IS NOT NULL OR $2 = 0 THEN 'Left out: ' || array_to_string(ARRAY(
            SELECT generate_series(1, $3::integer) EXCEPT SELECT unnest($4) ORDER BY 1 LIMIT 1000
        ), ', ') || '.' ELSE $2 || ' of them were let through.' END,
        HINT = 'A trigger, a rule or a policy of that table left them out, so the statement did nothing. Have the trigger raise an exception of its own, or take one message at a time.';
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._all_stored IS
    'True when as many messages were stored as were asked for; else an exception with SQLSTATE 27000, which undoes the statement. inputs are those that were stored, counted from 1; NULL if that is not known.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._seconds_from_now(delay integer)
RETURNS timestamptz
LANGUAGE sql
AS $$
    SELECT pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => $1);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._seconds_from_now IS 'The time after delay seconds from now on.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}')
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET seq_page_cost = 0
AS $$
DECLARE
    at  timestamptz;
    got integer := 0;
    n   integer;
BEGIN
    FOR attempt IN 1..2 LOOP
        at := clock_timestamp();
        RETURN QUERY EXECUTE format(
            'WITH taken AS (
                UPDATE pgmq.%1$I AS q
                SET vt = $3, read_ct = q.read_ct + 1, last_read_at = $1
                WHERE q.msg_id = ANY (ARRAY(
                    SELECT msg_id
                    FROM pgmq.%1$I
                    WHERE vt <= $1 %2$s
                    ORDER BY msg_id
                    LIMIT $2
                    FOR UPDATE SKIP LOCKED
                ))
                RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
            )
            SELECT * FROM taken ORDER BY msg_id',
            pgmq.format_table_name($1, 'q'),
            CASE WHEN $4 <> '{}' THEN 'AND message @> $4' END
        ) USING at, $3 - got, at + make_interval(secs => $2), $4;
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $3 OR attempt = 2 OR NOT pgmq._reader_found_less($1)
            -- With a VT of 0 it would read the same messages again.
            OR got > 0 AND $2 <= 0;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read IS
    'Hides up to qty visible messages for vt seconds and returns them, oldest first. With a condition, only messages whose body contains it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.pop(queue_name text, qty integer DEFAULT 1)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET seq_page_cost = 0
AS $$
DECLARE
    got integer := 0;
    n   integer;
BEGIN
    FOR attempt IN 1..2 LOOP
        RETURN QUERY EXECUTE format(
            'WITH taken AS (
                DELETE FROM pgmq.%1$I AS q
                WHERE q.msg_id = ANY (ARRAY(
                    SELECT msg_id
                    FROM pgmq.%1$I
                    WHERE vt <= $1
                    ORDER BY msg_id
                    LIMIT $2
                    FOR UPDATE SKIP LOCKED
                ))
                RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
            )
            SELECT * FROM taken ORDER BY msg_id',
            pgmq.format_table_name($1, 'q')
        ) USING clock_timestamp(), $2 - got;
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $2 OR attempt = 2 OR NOT pgmq._reader_found_less($1);
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.pop IS
    'Deletes up to qty visible messages and returns them, oldest first. A caller that fails afterwards loses them.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._poll(
    reader text, queue_name text, vt integer, qty integer,
    max_poll_seconds integer, poll_interval_ms integer, conditional jsonb DEFAULT NULL
)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stop_at CONSTANT timestamptz := clock_timestamp() + make_interval(secs => $5);
    pause   CONSTANT interval := make_interval(secs => greatest(coalesce($6, 100), 1) / 1000.0);
BEGIN
    WHILE stop_at IS NULL OR clock_timestamp() < stop_at LOOP
        -- The exception undoes a read that finds nothing, and releases its lock on
        -- the table: a poll must not block ALTER TABLE or DROP TABLE.
        BEGIN
            RETURN QUERY EXECUTE format(
                'SELECT * FROM pgmq.%I($1, $2, $3 %s)', $1, CASE WHEN $7 IS NOT NULL THEN ', $4' END
            ) USING $2, $3, $4, $7;
            IF FOUND THEN
                RETURN;
            END IF;
            RAISE no_data_found;
        EXCEPTION WHEN no_data_found THEN
            PERFORM pg_sleep_for(least(pause, stop_at - clock_timestamp()));
        END;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._poll IS 'Calls a reading function until it returns messages or max_poll_seconds have passed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_with_poll(
    queue_name text, vt integer, qty integer,
    max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100, conditional jsonb DEFAULT '{}'
)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq._poll('read', $1, $2, $3, $4, $5, $6);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read_with_poll IS
    'Like pgmq.read, but polls every poll_interval_ms milliseconds, up to max_poll_seconds. With max_poll_seconds 0 it does not read at all.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.delete(queue_name text, msg_ids bigint[])
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET seq_page_cost = 0
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id',
        pgmq.format_table_name($1, 'q')
    ) USING $2;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.delete(text, bigint[]) IS 'Deletes messages and returns the ids of those that existed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.delete(queue_name text, msg_id bigint)
RETURNS boolean
LANGUAGE sql
AS $$
    SELECT EXISTS (SELECT FROM pgmq.delete($1, ARRAY[$2]));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.delete(text, bigint) IS 'Deletes a message; false when it did not exist.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[])
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET seq_page_cost = 0
AS $$
DECLARE
    a_table CONSTANT text := pgmq.format_table_name($1, 'a');
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH moved AS (
            DELETE FROM pgmq.%I
            WHERE msg_id = ANY ($1)
            RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
        ),
        stored AS (
            INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
            SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
            FROM moved
            RETURNING 1
        )
        SELECT msg_id
        FROM moved
        WHERE (SELECT pgmq._all_stored($2, (SELECT count(*) FROM stored), (SELECT count(*) FROM moved)))',
        pgmq.format_table_name($1, 'q'),
        a_table
    ) USING $2, a_table;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.archive(text, bigint[]) IS
    'Moves messages to the archive, all of them or none, and returns the ids of those that existed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.archive(queue_name text, msg_id bigint)
RETURNS boolean
LANGUAGE sql
AS $$
    SELECT EXISTS (SELECT FROM pgmq.archive($1, ARRAY[$2]));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.archive(text, bigint) IS 'Moves a message to the archive; false when it did not exist.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET seq_page_cost = 0
AS $$
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    woken   boolean;
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH hidden AS (
            UPDATE pgmq.%I
            SET vt = $2
            WHERE msg_id = ANY ($1)
            RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
        )
        SELECT * FROM hidden ORDER BY msg_id',
        q_table
    ) USING $2, $3;
    -- Visible from now on.
    IF FOUND AND $3 <= clock_timestamp() THEN
        woken := pgmq._notify_consumers(q_table);
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.set_vt(text, bigint[], timestamptz) IS
    'Hides messages until a time and returns those that existed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt integer)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.set_vt($1, $2, pgmq._seconds_from_now($3));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.set_vt(text, bigint[], integer) IS 'Hides messages for vt seconds from now on and returns those that existed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt timestamptz)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.set_vt($1, ARRAY[$2], $3);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.set_vt(text, bigint, timestamptz) IS 'Hides a message until a time and returns it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt integer)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.set_vt($1, ARRAY[$2], pgmq._seconds_from_now($3));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.set_vt(text, bigint, integer) IS 'Hides a message for vt seconds from now on and returns it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.detach_archive(queue_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE WARNING 'detach_archive(queue_name) is deprecated and is a no-op. It will be removed in PGMQ v2.0. Archive tables are no longer member objects.';
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.detach_archive IS 'Deprecated: does nothing.';

-- +goose Down
DROP FUNCTION pgmq.detach_archive(text);
DROP FUNCTION pgmq.set_vt(text, bigint, integer);
DROP FUNCTION pgmq.set_vt(text, bigint, timestamptz);
DROP FUNCTION pgmq.set_vt(text, bigint[], integer);
DROP FUNCTION pgmq.set_vt(text, bigint[], timestamptz);
DROP FUNCTION pgmq.archive(text, bigint);
DROP FUNCTION pgmq.archive(text, bigint[]);
DROP FUNCTION pgmq.delete(text, bigint);
DROP FUNCTION pgmq.delete(text, bigint[]);
DROP FUNCTION pgmq.read_with_poll(text, integer, integer, integer, integer, jsonb);
DROP FUNCTION pgmq._poll(text, text, integer, integer, integer, integer, jsonb);
DROP FUNCTION pgmq.pop(text, integer);
DROP FUNCTION pgmq.read(text, integer, integer, jsonb);
DROP FUNCTION pgmq._seconds_from_now(integer);
DROP FUNCTION pgmq._all_stored(text, bigint, bigint, integer[]);
DROP FUNCTION pgmq._notify_consumers(text, boolean);
DROP FUNCTION pgmq._subscription_lock_key(text);

-- Taking messages out: read, pop, delete, archive and set_vt, by PGMQ's names.
--
-- A queue that an older PGMQ made gets the columns it lacks here, in the same
-- transaction as the functions that name them.

-- +goose Up

-- +goose StatementBegin
DO $$
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
            -- Postgres 14 knows the function that a view calls, not which columns it names.
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

    -- All locks or none, and never a long wait: whoever waits for a table's lock
    -- makes everybody behind it wait as well.
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

    -- Changed in place, attribute by attribute: dropping the type would drop
    -- every function of the users that returns it.
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
        -- Sessions have plans that expect the old attributes. A change of the
        -- schema's privileges ends every plan, a change of a type does not.
        GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
    END IF;

    PERFORM pgmq._retire('{read, read_with_poll, pop, delete, archive, set_vt, detach_archive}');
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._in_seconds(delay integer)
RETURNS timestamptz
LANGUAGE sql
AS $$
    SELECT pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => $1);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._in_seconds IS 'That many seconds from now.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}')
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at  timestamptz;
    got integer := 0;
    n   integer;
BEGIN
    FOR look IN 1..2 LOOP
        at := clock_timestamp();
        RETURN QUERY EXECUTE format(
            'WITH next AS MATERIALIZED (
                SELECT msg_id
                FROM pgmq.%1$I
                WHERE vt <= $1 %2$s
                ORDER BY msg_id
                LIMIT $2
                FOR UPDATE SKIP LOCKED
            ),
            taken AS (
                UPDATE pgmq.%1$I AS q
                SET vt = $3, read_ct = q.read_ct + 1, last_read_at = $1
                FROM next
                WHERE q.msg_id = next.msg_id
                RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
            )
            SELECT * FROM taken ORDER BY msg_id',
            pgmq.format_table_name($1, 'q'),
            CASE WHEN $4 <> '{}' THEN 'AND message @> $4' END
        ) USING at, $3 - got, at + make_interval(secs => $2), $4;
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $3 OR look = 2 OR NOT pgmq._came_up_short($1)
            -- With a VT of 0 it would find the same again.
            OR got > 0 AND $2 <= 0;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read IS
    'Hides up to qty visible messages for vt seconds and returns them, oldest first. With a condition, only those whose body contains it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.pop(queue_name text, qty integer DEFAULT 1)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    got integer := 0;
    n   integer;
BEGIN
    FOR look IN 1..2 LOOP
        RETURN QUERY EXECUTE format(
            'WITH next AS MATERIALIZED (
                SELECT msg_id
                FROM pgmq.%1$I
                WHERE vt <= $1
                ORDER BY msg_id
                LIMIT $2
                FOR UPDATE SKIP LOCKED
            ),
            taken AS (
                DELETE FROM pgmq.%1$I AS q
                USING next
                WHERE q.msg_id = next.msg_id
                RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
            )
            SELECT * FROM taken ORDER BY msg_id',
            pgmq.format_table_name($1, 'q')
        ) USING clock_timestamp(), $2 - got;
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $2 OR look = 2 OR NOT pgmq._came_up_short($1);
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.pop IS
    'Removes up to qty visible messages and returns them, oldest first. A caller that fails afterwards has lost them.';

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
        -- A look that finds nothing is undone, and with it the lock on the table:
        -- who waits must not keep others from altering or dropping a queue.
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
COMMENT ON FUNCTION pgmq._poll IS 'Calls a reading function again and again until it returns something or time is up.';

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
    'Like pgmq.read, but waits for messages up to max_poll_seconds, looking every poll_interval_ms. With max_poll_seconds 0 it does not look at all.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.delete(queue_name text, msg_ids bigint[])
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'DELETE FROM pgmq.%I WHERE msg_id = ANY ($1) RETURNING msg_id',
        pgmq.format_table_name($1, 'q')
    ) USING $2;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.delete(text, bigint[]) IS 'Removes messages and returns the ids of those that existed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.delete(queue_name text, msg_id bigint)
RETURNS boolean
LANGUAGE sql
AS $$
    SELECT EXISTS (SELECT FROM pgmq.delete($1, ARRAY[$2]));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.delete(text, bigint) IS 'Removes a message; false when there was none.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.archive(queue_name text, msg_ids bigint[])
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH moved AS (
            DELETE FROM pgmq.%I
            WHERE msg_id = ANY ($1)
            RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
        )
        INSERT INTO pgmq.%I (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
        SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
        FROM moved
        RETURNING msg_id',
        pgmq.format_table_name($1, 'q'),
        pgmq.format_table_name($1, 'a')
    ) USING $2;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.archive(text, bigint[]) IS
    'Moves messages to the archive and returns the ids of those that existed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.archive(queue_name text, msg_id bigint)
RETURNS boolean
LANGUAGE sql
AS $$
    SELECT EXISTS (SELECT FROM pgmq.archive($1, ARRAY[$2]));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.archive(text, bigint) IS 'Moves a message to the archive; false when there was none.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH hidden AS (
            UPDATE pgmq.%I
            SET vt = $2
            WHERE msg_id = ANY ($1)
            RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
        )
        SELECT * FROM hidden ORDER BY msg_id',
        pgmq.format_table_name($1, 'q')
    ) USING $2, $3;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.set_vt(text, bigint[], timestamptz) IS
    'Hides messages until a time, and returns those that existed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt integer)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.set_vt($1, $2, pgmq._in_seconds($3));
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt timestamptz)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.set_vt($1, ARRAY[$2], $3);
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_id bigint, vt integer)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.set_vt($1, ARRAY[$2], pgmq._in_seconds($3));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.set_vt(text, bigint[], integer) IS 'Hides messages for vt seconds from now on, and returns those that existed.';
COMMENT ON FUNCTION pgmq.set_vt(text, bigint, timestamptz) IS 'Hides a message until a time, and returns it.';
COMMENT ON FUNCTION pgmq.set_vt(text, bigint, integer) IS 'Hides a message for vt seconds from now on, and returns it.';

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
DROP FUNCTION pgmq._in_seconds(integer);

-- The functions that take part in waking listeners.
--
-- Readers that found less than they asked for say so, and look once more when
-- told to. purge_queue and drop_queue do not stumble over a send of their own
-- transaction whose announcement is put off to the commit.

-- +goose Up

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

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.drop_queue(queue_name text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    q_table text := pgmq.format_table_name($1, 'q');
    a_table text := pgmq.format_table_name($1, 'a');
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    PERFORM pgmq._announce_now(q_table);

    IF to_regclass(format('pgmq.%I', q_table)) IS NULL
        AND NOT EXISTS (SELECT FROM pgmq.meta WHERE pgmq.format_table_name(queue_name, 'q') = q_table)
    THEN
        RAISE NOTICE 'pgmq queue `%` does not exist', $1;
        RETURN false;
    END IF;

    -- IF EXISTS: somebody may have dropped one of the tables by hand.
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', q_table);
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', a_table);
    DELETE FROM pgmq.meta WHERE pgmq.format_table_name(queue_name, 'q') = q_table;
    RETURN true;
END;
$$;
-- +goose StatementEnd

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

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped(queue_name text, vt integer, qty integer)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    got integer := 0;
    n   integer;
BEGIN
    FOR look IN 1..2 LOOP
        RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, coalesce($3, 0) - got, coalesce($3, 0), true, 'head, place');
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $3 OR look = 2 OR NOT pgmq._came_up_short($1)
            OR got > 0 AND $2 <= 0;
    END LOOP;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped_rr(queue_name text, vt integer, qty integer)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    got integer := 0;
    n   integer;
BEGIN
    FOR look IN 1..2 LOOP
        RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, greatest($3, 0) - got, greatest($3, 0), false, 'place, head');
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $3 OR look = 2 OR NOT pgmq._came_up_short($1)
            OR got > 0 AND $2 <= 0;
    END LOOP;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped_head(queue_name text, vt integer, qty integer)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    got integer := 0;
    n   integer;
BEGIN
    FOR look IN 1..2 LOOP
        RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, coalesce($3, 2147483647) - got, 1, false, 'place, head');
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $3 OR look = 2 OR NOT pgmq._came_up_short($1)
            OR got > 0 AND $2 <= 0;
    END LOOP;
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
CREATE OR REPLACE FUNCTION pgmq.drop_queue(queue_name text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    q_table text := pgmq.format_table_name($1, 'q');
    a_table text := pgmq.format_table_name($1, 'a');
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);

    IF to_regclass(format('pgmq.%I', q_table)) IS NULL
        AND NOT EXISTS (SELECT FROM pgmq.meta WHERE pgmq.format_table_name(queue_name, 'q') = q_table)
    THEN
        RAISE NOTICE 'pgmq queue `%` does not exist', $1;
        RETURN false;
    END IF;

    -- IF EXISTS: somebody may have dropped one of the tables by hand.
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', q_table);
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', a_table);
    DELETE FROM pgmq.meta WHERE pgmq.format_table_name(queue_name, 'q') = q_table;
    RETURN true;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb DEFAULT '{}')
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at CONSTANT timestamptz := clock_timestamp();
BEGIN
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
    ) USING at, $3, at + make_interval(secs => $2), $4;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.pop(queue_name text, qty integer DEFAULT 1)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
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
    ) USING clock_timestamp(), $2;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped(queue_name text, vt integer, qty integer)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, coalesce($3, 0), coalesce($3, 0), true, 'head, place');
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped_rr(queue_name text, vt integer, qty integer)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, greatest($3, 0), greatest($3, 0), false, 'place, head');
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped_head(queue_name text, vt integer, qty integer)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, coalesce($3, 2147483647), 1, false, 'place, head');
END;
$$;
-- +goose StatementEnd

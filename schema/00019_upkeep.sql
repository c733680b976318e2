-- Queues are vacuumed when some thousand messages are gone, however long they are:
-- by default it is a fifth of the table. What reads and pops finds its rows by an
-- array of their ids, whose plan statistics cannot turn into a scan of the table.

-- +goose NO TRANSACTION
-- +goose Up
-- Inserts alone leave nothing to clean up.
ALTER TABLE pgmq.template_queue SET (
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_insert_threshold = -1
);

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
        EXIT WHEN got >= $2 OR look = 2 OR NOT pgmq._came_up_short($1);
    END LOOP;
END;
$$;
-- +goose StatementEnd

-- One transaction for each queue, so that no lock is held for the next one.
-- +goose StatementBegin
DO $$
DECLARE
    queue text;
BEGIN
    FOR queue IN SELECT queue_name FROM pgmq.meta ORDER BY queue_name LOOP
        IF pgmq._renew_storage(queue) THEN
            COMMIT;
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
-- The settings of queues stay.
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

ALTER TABLE pgmq.template_queue RESET (
    autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_threshold
);

-- Reading by groups: these functions take the messages of free groups.

-- +goose Up
SELECT pgmq._drop_outdated('{
    read_grouped, read_grouped_rr, read_grouped_head,
    read_grouped_with_poll, read_grouped_rr_with_poll, read_grouped_head_with_poll
}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._group_query(q_table text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    -- Bounds instead of =, so that only the index on groups can sort the rows.
    SELECT pg_catalog.format(
        'SELECT msg_id, place
        FROM (
            SELECT msg_id, row_number() OVER oldest AS place, bool_and(vt <= $1) OVER oldest AS ready
            FROM (
                SELECT q.msg_id, q.vt
                FROM (SELECT msg_id, vt, %2$s AS grp FROM pgmq.%1$I) AS q
                WHERE q.grp >= head.grp AND q.grp <= head.grp AND q.msg_id >= head.msg_id
                ORDER BY q.grp, q.msg_id
                LIMIT $2
            ) AS q
            WINDOW oldest AS (ORDER BY msg_id)
        ) AS q
        WHERE ready',
        $1, pgmq._group_expression()
    );
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._group_query IS
    'A query for up to $2 messages of the group of head, in order, up to the first one that is hidden at the time $1.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._lock_groups(q_table text, at timestamptz, qty integer, filling boolean)
RETURNS bigint[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    held   bigint[] := '{}';
    heads  bigint[];
    locked bigint[];
    room   bigint := $3;
    filled bigint;
    tried  bigint := -9223372036854775808;
BEGIN
    WHILE room > 0 LOOP
        heads := pgmq._free_groups($1, $2, tried, room::integer);
        EXIT WHEN heads = '{}';
        -- Locks only what it will read. It skips a group that another reader holds,
        -- and the next round goes on beyond.
        EXECUTE format(
            'WITH candidate AS MATERIALIZED (
                SELECT head.msg_id, %2$s AS size
                FROM (SELECT msg_id, %3$s AS grp FROM pgmq.%1$I WHERE msg_id = ANY ($3)) AS head
            ),
            needed AS MATERIALIZED (
                SELECT msg_id, size
                FROM (SELECT msg_id, size, sum(size) OVER (ORDER BY msg_id) - size AS before FROM candidate) AS c
                WHERE before < $2
            ),
            locked AS MATERIALIZED (
                SELECT needed.msg_id, needed.size
                FROM needed JOIN pgmq.%1$I AS q ON q.msg_id = needed.msg_id
                WHERE q.vt <= $1
                FOR UPDATE OF q SKIP LOCKED
            )
            SELECT
                ARRAY (SELECT msg_id FROM locked ORDER BY msg_id),
                (SELECT coalesce(sum(size), 0) FROM locked),
                (SELECT max(msg_id) FROM needed)',
            $1,
            CASE WHEN $4 THEN format('(SELECT count(*) FROM (%s) AS ready)', pgmq._group_query($1)) ELSE '1' END,
            pgmq._group_expression()
        ) USING $2, room, heads INTO locked, filled, tried;
        EXIT WHEN tried IS NULL;
        held := held || locked;
        room := room - filled;
    END LOOP;
    RETURN held;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._lock_groups IS
    'Locks the first messages of free groups and returns them, oldest first: qty groups or, with filling, as many groups as it takes for qty messages.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._read_groups(
    queue_name text, vt integer, qty integer, depth integer, filling boolean, sequence text
)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at      CONSTANT timestamptz := clock_timestamp();
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
BEGIN
    -- A message that another session has locked ends what this read takes of its
    -- group: not all readers read by groups.
    RETURN QUERY EXECUTE format(
        'WITH held AS MATERIALIZED (
            SELECT msg_id, %2$s AS grp FROM pgmq.%1$I WHERE msg_id = ANY ($4)
        ),
        next AS MATERIALIZED (
            SELECT head.msg_id AS head, ready.msg_id, ready.place
            FROM held AS head, LATERAL (%3$s) AS ready
            ORDER BY %4$s
            LIMIT $3
        ),
        locked AS MATERIALIZED (
            SELECT q.msg_id
            FROM next JOIN pgmq.%1$I AS q ON q.msg_id = next.msg_id
            WHERE q.vt <= $1
            FOR UPDATE OF q SKIP LOCKED
        ),
        chosen AS MATERIALIZED (
            SELECT msg_id, head, place
            FROM (
                SELECT
                    next.*,
                    bool_and(locked.msg_id IS NOT NULL) OVER (PARTITION BY head ORDER BY place) AS in_line
                FROM next LEFT JOIN locked ON locked.msg_id = next.msg_id
            ) AS next
            WHERE in_line
        ),
        taken AS (
            UPDATE pgmq.%1$I AS q
            SET vt = $5, read_ct = q.read_ct + 1, last_read_at = $1
            FROM chosen
            WHERE q.msg_id = chosen.msg_id
            RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
        )
        SELECT taken.*
        FROM taken JOIN chosen ON chosen.msg_id = taken.msg_id
        ORDER BY %4$s',
        q_table, pgmq._group_expression(), pgmq._group_query(q_table), $6
    ) USING at, $4, $3, pgmq._lock_groups(q_table, at, $3, $5), at + make_interval(secs => $2);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._read_groups IS
    'Reads up to qty messages of free groups, at most depth of each, ordered by sequence: group by group, or the first of each group before the second of any.';

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
    FOR attempt IN 1..2 LOOP
        RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, coalesce($3, 0) - got, coalesce($3, 0), true, 'head, place');
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $3 OR attempt = 2 OR NOT pgmq._reader_found_less($1)
            OR got > 0 AND $2 <= 0;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read_grouped IS
    'Reads up to qty messages in order: as many as possible of the oldest free group, then of the next one. Skips groups with a message in flight.';

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
    FOR attempt IN 1..2 LOOP
        RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, greatest($3, 0) - got, greatest($3, 0), false, 'place, head');
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $3 OR attempt = 2 OR NOT pgmq._reader_found_less($1)
            OR got > 0 AND $2 <= 0;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read_grouped_rr IS
    'Reads up to qty messages round robin: the first of each free group, then the second of each, and so on. Returns them in this order.';

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
    FOR attempt IN 1..2 LOOP
        RETURN QUERY SELECT * FROM pgmq._read_groups($1, $2, coalesce($3, 2147483647) - got, 1, false, 'place, head');
        GET DIAGNOSTICS n = ROW_COUNT;
        got := got + n;
        EXIT WHEN got >= $3 OR attempt = 2 OR NOT pgmq._reader_found_less($1)
            OR got > 0 AND $2 <= 0;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read_grouped_head IS 'Reads the first message of up to qty free groups, oldest first.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped_with_poll(
    queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100
)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq._poll('read_grouped', $1, $2, $3, $4, $5);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read_grouped_with_poll IS 'pgmq.read_grouped that polls like pgmq.read_with_poll.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped_rr_with_poll(
    queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100
)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq._poll('read_grouped_rr', $1, $2, $3, $4, $5);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read_grouped_rr_with_poll IS 'pgmq.read_grouped_rr that polls like pgmq.read_with_poll.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.read_grouped_head_with_poll(
    queue_name text, vt integer, qty integer, max_poll_seconds integer DEFAULT 5, poll_interval_ms integer DEFAULT 100
)
RETURNS SETOF pgmq.message_record
LANGUAGE sql
AS $$
    SELECT * FROM pgmq._poll('read_grouped_head', $1, $2, $3, $4, $5);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.read_grouped_head_with_poll IS 'pgmq.read_grouped_head that polls like pgmq.read_with_poll.';

-- +goose Down
DROP FUNCTION pgmq.read_grouped_head_with_poll(text, integer, integer, integer, integer);
DROP FUNCTION pgmq.read_grouped_rr_with_poll(text, integer, integer, integer, integer);
DROP FUNCTION pgmq.read_grouped_with_poll(text, integer, integer, integer, integer);
DROP FUNCTION pgmq.read_grouped_head(text, integer, integer);
DROP FUNCTION pgmq.read_grouped_rr(text, integer, integer);
DROP FUNCTION pgmq.read_grouped(text, integer, integer);
DROP FUNCTION pgmq._read_groups(text, integer, integer, integer, boolean, text);
DROP FUNCTION pgmq._lock_groups(text, timestamptz, integer, boolean);
DROP FUNCTION pgmq._group_query(text);

-- Reading in order: messages whose header x-pgmq-group is the same are a group,
-- and nobody gets a message of a group while an earlier one is in flight.
-- Messages without the header are one group as well.
--
-- Nothing records who holds a group. Its first message says it: whoever locks
-- and then hides that one has the group, until all that was read is settled or
-- visible again.

-- +goose Up
CREATE INDEX template_queue_group_idx
    ON pgmq.template_queue ((coalesce(headers ->> 'x-pgmq-group', '_default_fifo_group') COLLATE "C"), msg_id);

SELECT pgmq._retire('{
    create_fifo_index, create_fifo_indexes_all, _create_fifo_index_if_not_exists,
    read_grouped, read_grouped_rr, read_grouped_head,
    read_grouped_with_poll, read_grouped_rr_with_poll, read_grouped_head_with_poll
}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._group_expression()
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT 'coalesce(headers ->> ''x-pgmq-group'', ''_default_fifo_group'') COLLATE "C"';
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._group_expression IS 'What the index on groups is built on, and what finds it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._has_group_index(q_table regclass)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM pg_index
        WHERE indrelid = $1 AND indisvalid AND indnkeyatts = 2
            AND pg_get_indexdef(indexrelid, 1, false)
                = pg_get_indexdef('pgmq.template_queue_group_idx'::regclass, 1, false)
            AND pg_get_indexdef(indexrelid, 2, false) = 'msg_id'
    );
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._create_fifo_index_if_not_exists(queue_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table CONSTANT text := format('pgmq.%I', pgmq.format_table_name($1, 'q'));
BEGIN
    -- By its name, for which Postgres looks anew: whoever held the queue's lock
    -- may have dropped it.
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', q_table);
    IF NOT pgmq._has_group_index(q_table) THEN
        EXECUTE format('CREATE INDEX ON %s ((%s), msg_id)', q_table, pgmq._group_expression());
    END IF;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.create_fifo_index(queue_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    PERFORM pgmq._create_fifo_index_if_not_exists($1);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.create_fifo_index IS
    'Gives a queue the index that grouped reads use. Queues made by this version have it. Holds off writers while it is built.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.create_fifo_indexes_all()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue text;
BEGIN
    -- In one order, so that two who run this do not wait for each other in a ring.
    FOR queue IN SELECT m.queue_name FROM pgmq.meta AS m ORDER BY pgmq.format_table_name(m.queue_name, 'q') LOOP
        PERFORM pgmq.acquire_queue_lock(queue);
        BEGIN
            PERFORM pgmq._create_fifo_index_if_not_exists(queue);
        EXCEPTION WHEN undefined_table THEN
            NULL; -- its table was dropped by hand, or just now
        END;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.create_fifo_indexes_all IS 'pgmq.create_fifo_index for every queue.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._free_groups(q_table text, at timestamptz, beyond bigint, qty integer)
RETURNS bigint[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    heads   bigint[] := '{}';
    more    bigint[];
    seen    integer;
    reach   integer;
    front   bigint := $3;
    -- Where this session last had to go to find one, and when: {message id,
    -- second}. Within that second it goes there at once.
    setting CONSTANT text := 'pgmq.beyond_' || format('pgmq.%I', $1)::regclass::oid;
    clock   CONSTANT bigint := extract(epoch FROM $2)::bigint;
    jump    bigint[] := nullif(current_setting(setting, true), '')::bigint[];
BEGIN
    IF jump[2] IS DISTINCT FROM clock THEN
        jump := NULL;
    END IF;

    -- The oldest groups are at the front of the queue. Of the messages there,
    -- the first of each group is its head unless the index knows an earlier one.
    FOREACH reach IN ARRAY '{250, 750, 3000, 12000}'::integer[] LOOP
        EXECUTE format(
            'WITH stretch AS MATERIALIZED (
                SELECT msg_id, vt, %2$s AS grp
                FROM pgmq.%1$I
                WHERE msg_id > $2
                ORDER BY msg_id
                LIMIT $3
            )
            SELECT
                ARRAY (
                    SELECT head.msg_id
                    FROM (
                        SELECT msg_id, vt, grp
                        FROM (SELECT DISTINCT ON (grp) msg_id, vt, grp FROM stretch ORDER BY grp, msg_id) AS first
                        ORDER BY msg_id
                        OFFSET 0
                    ) AS head
                    WHERE head.vt <= $1 AND NOT EXISTS (
                        SELECT FROM (SELECT msg_id, %2$s AS grp FROM pgmq.%1$I) AS q
                        WHERE q.grp = head.grp AND q.msg_id < head.msg_id
                    )
                    ORDER BY head.msg_id
                    LIMIT $4
                ),
                max(msg_id),
                count(*)
            FROM stretch',
            $1, pgmq._group_expression()
        ) USING $2, front, reach, $4 - cardinality(heads) INTO more, front, seen;
        heads := heads || more;
        IF cardinality(heads) >= $4 OR seen < reach AND jump IS NULL THEN
            IF reach > 750 THEN
                PERFORM set_config(setting, ARRAY[more[1] - 1, clock]::text, false);
            END IF;
            RETURN heads;
        END IF;
        EXIT WHEN seen < reach;
        front := greatest(front, jump[1]);
    END LOOP;

    -- The front is full of groups that are not free: go from group to group by
    -- the index, which costs as many steps as there are groups.
    EXECUTE format(
        'WITH RECURSIVE head AS (
            (SELECT msg_id, vt, %2$s AS grp FROM pgmq.%1$I ORDER BY 3, 1 LIMIT 1)
            UNION ALL
            SELECT next.*
            FROM head, LATERAL (
                SELECT q.*
                FROM (SELECT msg_id, vt, %2$s AS grp FROM pgmq.%1$I) AS q
                WHERE q.grp > head.grp
                ORDER BY q.grp, q.msg_id
                LIMIT 1
            ) AS next
        )
        SELECT ARRAY (SELECT msg_id FROM head WHERE vt <= $1 AND msg_id > $2 ORDER BY msg_id LIMIT $3)',
        $1, pgmq._group_expression()
    ) USING $2, $3, $4 INTO heads;
    PERFORM set_config(setting, ARRAY[heads[1] - 1, clock]::text, false);
    RETURN heads;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._free_groups IS
    'The first messages of up to qty groups of which nothing is in flight, oldest first, beyond a message id. With more than 1,000 messages of other groups in front, one that became free within the last second may be passed over.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._group_query(q_table text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    -- The bounds say "equal" in a way that only the index on groups can sort by.
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
    'The query for up to $2 messages of the group of head, in order, up to the first that is hidden at $1.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._hold_groups(q_table text, at timestamptz, qty integer, filling boolean)
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
        -- Only what will be read is locked. A group that another reader holds is
        -- passed over, and the next round looks beyond.
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
COMMENT ON FUNCTION pgmq._hold_groups IS
    'Locks the first messages of free groups and returns them, oldest first: qty groups, or as many as have qty messages between them.';

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
    -- A message that somebody holds who does not read by groups ends what can be
    -- read of its group.
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
    ) USING at, $4, $3, pgmq._hold_groups(q_table, at, $3, $5), at + make_interval(secs => $2);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._read_groups IS
    'Reads up to qty messages of free groups, at most depth of each; group by group, or the first of each before the second of any.';

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
COMMENT ON FUNCTION pgmq.read_grouped IS
    'Reads up to qty messages in order: as many as it can of the oldest free group, then of the next. Groups of which a message is in flight are passed over.';

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
COMMENT ON FUNCTION pgmq.read_grouped_rr IS
    'Reads up to qty messages in order, fairly: the first of every free group, then the second of each, and so on; returned in this order.';

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
COMMENT ON FUNCTION pgmq.read_grouped_with_poll IS 'pgmq.read_grouped that waits, as pgmq.read_with_poll does.';

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
COMMENT ON FUNCTION pgmq.read_grouped_rr_with_poll IS 'pgmq.read_grouped_rr that waits, as pgmq.read_with_poll does.';

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
COMMENT ON FUNCTION pgmq.read_grouped_head_with_poll IS 'pgmq.read_grouped_head that waits, as pgmq.read_with_poll does.';

-- +goose Down
DROP FUNCTION pgmq.read_grouped_head_with_poll(text, integer, integer, integer, integer);
DROP FUNCTION pgmq.read_grouped_rr_with_poll(text, integer, integer, integer, integer);
DROP FUNCTION pgmq.read_grouped_with_poll(text, integer, integer, integer, integer);
DROP FUNCTION pgmq.read_grouped_head(text, integer, integer);
DROP FUNCTION pgmq.read_grouped_rr(text, integer, integer);
DROP FUNCTION pgmq.read_grouped(text, integer, integer);
DROP FUNCTION pgmq._read_groups(text, integer, integer, integer, boolean, text);
DROP FUNCTION pgmq._hold_groups(text, timestamptz, integer, boolean);
DROP FUNCTION pgmq._group_query(text);
DROP FUNCTION pgmq._free_groups(text, timestamptz, bigint, integer);
DROP FUNCTION pgmq.create_fifo_indexes_all();
DROP FUNCTION pgmq.create_fifo_index(text);
DROP FUNCTION pgmq._create_fifo_index_if_not_exists(text);
DROP FUNCTION pgmq._has_group_index(regclass);
DROP FUNCTION pgmq._group_expression();
DROP INDEX pgmq.template_queue_group_idx;

-- Order within groups. Messages with the same header x-pgmq-group are a group;
-- messages without it are one group as well. No reader gets a message of a group
-- while an earlier one is in flight.
--
-- No table records which groups are in flight. The first message of a group says
-- it: the session that locks and then hides this message holds the group, until
-- all messages that it read are settled or visible again.

-- +goose Up
SELECT pgmq._drop_outdated('{create_fifo_index, create_fifo_indexes_all, _create_fifo_index_if_not_exists}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._group_expression()
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT 'coalesce(headers ->> ''x-pgmq-group'', ''_default_fifo_group'') COLLATE "C"';
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._group_expression IS 'The expression of the index on groups, for queries that use it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._has_group_index(q_table regclass)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
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
    IF NOT pgmq._has_group_index(to_regclass(q_table)) THEN
        -- By name, which Postgres looks up again: the session that held the
        -- queue's lock may have dropped it.
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
    'Creates the index that grouped reads use. Queues made by this version have it. Writers wait while Postgres builds it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.create_fifo_indexes_all()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue text;
BEGIN
    -- In one order, so that two sessions do not deadlock.
    FOR queue IN SELECT m.queue_name FROM pgmq.meta AS m ORDER BY lower(m.queue_name) LOOP
        BEGIN
            -- No lock for a queue that has the index: each lasts until the end.
            CONTINUE WHEN pgmq._has_group_index(to_regclass(format('pgmq.%I', lower('q_' || queue))));
            PERFORM pgmq.acquire_queue_lock(queue);
            PERFORM pgmq._create_fifo_index_if_not_exists(queue);
        EXCEPTION
            WHEN undefined_table THEN
                NULL; -- the table was dropped by hand, or just now
            WHEN others THEN
                RAISE WARNING 'pgmq: queue %: %', quote_ident(queue), SQLERRM;
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
    -- Where this session last found a free group beyond the front, and when:
    -- {message id, second}. Within that second it starts there.
    setting CONSTANT text := 'pgmq.beyond_' || format('pgmq.%I', $1)::regclass::oid;
    clock   CONSTANT bigint := extract(epoch FROM $2)::bigint;
    jump    bigint[] := nullif(current_setting(setting, true), '')::bigint[];
BEGIN
    IF jump[2] IS DISTINCT FROM clock THEN
        jump := NULL;
    END IF;

    -- The oldest groups are at the front of the queue. The first message of a group
    -- there is its head, unless the index has an earlier one.
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

    -- No group at the front is free: go from group to group by the index, one step
    -- for each group.
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
    'The first messages of up to qty free groups, oldest first, beyond a message id. A group is free when none of its messages is in flight. Behind more than 1,000 messages of other groups, it may miss a group that became free within the last second.';

-- +goose Down
DROP FUNCTION pgmq._free_groups(text, timestamptz, bigint, integer);
DROP FUNCTION pgmq.create_fifo_indexes_all();
DROP FUNCTION pgmq.create_fifo_index(text);
DROP FUNCTION pgmq._create_fifo_index_if_not_exists(text);
DROP FUNCTION pgmq._has_group_index(regclass);
DROP FUNCTION pgmq._group_expression();

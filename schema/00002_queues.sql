-- The functions that make, list, empty and drop queues: PGMQ's names,
-- arguments and results, for Go and every other language alike.
--
-- All run with the caller's rights and none depends on the caller's search_path.

-- +goose Up

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.format_table_name(queue_name text, prefix text)
RETURNS text
LANGUAGE sql
AS $$
    SELECT pg_catalog.lower($2 OPERATOR(pg_catalog.||) '_' OPERATOR(pg_catalog.||) $1);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.format_table_name IS
    'The name of a table of a queue: q_ for the queue, a_ for its archive. Lower case, by the rules of the database''s locale.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.validate_queue_name(queue_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF queue_name = '' THEN
        RAISE EXCEPTION 'queue name is empty';
    END IF;
    IF length(queue_name) > 47 THEN
        RAISE EXCEPTION 'queue name is too long, maximum length is 47 characters';
    END IF;
    IF queue_name ~ '\$|;|--|''' THEN
        RAISE EXCEPTION 'queue name contains invalid characters: $, ;, --, or \''';
    END IF;
    -- A longer identifier would be cut off, and two queues could share a table.
    IF octet_length(pgmq.format_table_name(queue_name, 'q')) > 63 THEN
        RAISE EXCEPTION 'queue name is too long, maximum length is 61 bytes in UTF-8';
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.validate_queue_name IS
    'Raises P0001 unless the name can be a queue''s: 1 to 47 characters, at most 61 bytes, without $, ;, -- and single quotes.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.acquire_queue_lock(queue_name text)
RETURNS void
LANGUAGE sql
AS $$
    SELECT pg_catalog.pg_advisory_xact_lock(
        pg_catalog.hashtextextended('pgmq.' OPERATOR(pg_catalog.||) pgmq.format_table_name($1, 'q'), 0)
    );
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.acquire_queue_lock IS
    'Holds off others who create or drop the same queue, until the transaction ends.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._create_queue(queue_name text, is_unlogged boolean)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    q_table text := pgmq.format_table_name($1, 'q');
    a_table text := pgmq.format_table_name($1, 'a');
    -- Longer than 63 bytes it would be cut off, perhaps to another queue's.
    a_index text := CASE WHEN octet_length($1) <= 47 THEN format('IF NOT EXISTS %I', 'archived_at_idx_' || $1) END;
    -- LIKE leaves storage parameters behind.
    q_storage text := (
        SELECT coalesce('WITH (' || string_agg(option, ', ') || ')', '')
        FROM pg_class, unnest(reloptions) AS option
        WHERE oid = 'pgmq.template_queue'::regclass
    );
BEGIN
    PERFORM pgmq.validate_queue_name($1);
    PERFORM pgmq.acquire_queue_lock($1);

    EXECUTE format(
        'CREATE %s TABLE IF NOT EXISTS pgmq.%I (
            LIKE pgmq.template_queue INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES
        ) %s',
        CASE WHEN $2 THEN 'UNLOGGED' END, q_table, q_storage
    );
    IF to_regclass(format('pgmq.%I', a_table)) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE pgmq.%I (LIKE pgmq.template_archive INCLUDING DEFAULTS INCLUDING INDEXES)',
            a_table
        );
        EXECUTE format('CREATE INDEX %s ON pgmq.%I (archived_at)', a_index, a_table);
    END IF;

    -- MyQueue and myqueue are one table, so they are one queue.
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged)
    SELECT $1, false, $2
    WHERE NOT EXISTS (
        SELECT FROM pgmq.meta WHERE pgmq.format_table_name(queue_name, 'q') = q_table
    )
    ON CONFLICT DO NOTHING;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.create_non_partitioned(queue_name text)
RETURNS void
LANGUAGE sql
AS $$
    SELECT pgmq._create_queue($1, false);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.create_non_partitioned IS 'The same as pgmq.create.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.create(queue_name text)
RETURNS void
LANGUAGE sql
AS $$
    SELECT pgmq._create_queue($1, false);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.create IS 'Makes a queue and its archive; does nothing to a queue that exists.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.create_unlogged(queue_name text)
RETURNS void
LANGUAGE sql
AS $$
    SELECT pgmq._create_queue($1, true);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.create_unlogged IS
    'Like pgmq.create, but a crash of the server empties the queue, and standbys do not have it. The archive is durable.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.list_queues()
RETURNS SETOF pgmq.queue_record
LANGUAGE sql
AS $$
    SELECT queue_name, is_partitioned, is_unlogged, created_at FROM pgmq.meta;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.list_queues IS 'Every queue, in no order.';

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
COMMENT ON FUNCTION pgmq.purge_queue IS
    'Removes every message of a queue, hidden ones included, and returns how many. The archive stays. Waits for open transactions that touched the queue.';

-- Up to PGMQ 1.4 it had a default, which cannot be replaced away.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_proc WHERE oid = to_regprocedure('pgmq.drop_queue(text, boolean)') AND pronargdefaults > 0) THEN
        DROP FUNCTION pgmq.drop_queue(text, boolean);
    END IF;
END $$;
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
COMMENT ON FUNCTION pgmq.drop_queue(text) IS
    'Drops a queue, its archive and every message in both; false when there is no such queue.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.drop_queue(queue_name text, partitioned boolean)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE WARNING 'drop_queue(queue_name, partitioned) is deprecated and will be removed in PGMQ v2.0. Use drop_queue(queue_name) instead';
    PERFORM pgmq.drop_queue($1);
    RETURN true;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.drop_queue(text, boolean) IS 'Deprecated: ignores its second argument and always returns true.';

-- +goose Down
DROP FUNCTION pgmq.drop_queue(text, boolean);
DROP FUNCTION pgmq.drop_queue(text);
DROP FUNCTION pgmq.purge_queue(text);
DROP FUNCTION pgmq.list_queues();
DROP FUNCTION pgmq.create_unlogged(text);
DROP FUNCTION pgmq.create(text);
DROP FUNCTION pgmq.create_non_partitioned(text);
DROP FUNCTION pgmq._create_queue(text, boolean);
DROP FUNCTION pgmq.acquire_queue_lock(text);
DROP FUNCTION pgmq.validate_queue_name(text);
DROP FUNCTION pgmq.format_table_name(text, text);

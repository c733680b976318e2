-- The functions that create, list, empty and drop queues, by PGMQ's names,
-- arguments and results, for Go and every other language.
--
-- They run with the caller's rights and do not depend on the caller's search_path.

-- +goose Up
SELECT pgmq._drop_outdated('{_extension_exists, _get_pg_partman_schema}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.format_table_name(queue_name text, prefix text)
RETURNS text
LANGUAGE plpgsql
AS $$
BEGIN
    IF $1 OPERATOR(pg_catalog.~) '[$]|;|--|''' THEN
        RAISE EXCEPTION E'queue name contains invalid characters: $, ;, --, or \\''';
    END IF;
    RETURN pg_catalog.lower($2 OPERATOR(pg_catalog.||) '_' OPERATOR(pg_catalog.||) $1);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.format_table_name IS
    'The name of a table of a queue: prefix q for the queue, a for its archive. Lower case by the rules of the database''s locale. Raises P0001 for a name that no queue can have. Queries on all of pgmq.meta call lower(): one bad row must not fail the others.';

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
    -- format_table_name refuses characters. Postgres truncates longer identifiers, and two queues could share a table.
    IF octet_length(pgmq.format_table_name(queue_name, 'q')) > 63 THEN
        RAISE EXCEPTION 'queue name is too long, maximum length is 61 bytes in UTF-8';
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.validate_queue_name IS
    'Raises P0001 unless a queue can have this name: 1 to 47 characters, at most 61 bytes, without $, ;, -- and single quotes.';

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
    'Takes the advisory lock of a queue until the transaction ends: sessions that create or drop the same queue wait.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._listed_name(queue_name text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.queue_name
    FROM pgmq.meta AS m
    WHERE lower(m.queue_name) = lower($1)
    ORDER BY m.queue_name <> $1
    LIMIT 1;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._listed_name IS 'The name of a queue in pgmq.meta, compared without regard to case. NULL when there is none.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._table_of(queue_name text, prefix text)
RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Postgres truncates the name of a table beyond 63 bytes.
    name CONSTANT name := pgmq.format_table_name($1, $2);
    c    record;
    what text;
BEGIN
    -- Not by to_regclass, whose cache may be older than the wait for a lock.
    SELECT
        oid, relispartition,
        relkind IN ('r', 'p') AND 5 = (
            SELECT count(*) FROM pg_attribute
            WHERE attrelid = oid AND NOT attisdropped AND CASE attname
                WHEN 'msg_id' THEN $2 = 'a' OR attidentity <> '' OR atthasdef
                ELSE attname IN ('read_ct', 'enqueued_at', 'vt', 'message')
            END
        ) AS has_messages
    INTO c
    FROM pg_class
    WHERE relnamespace = 'pgmq'::regnamespace AND relname = name;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    what := CASE
        WHEN c.relispartition THEN 'a partition of another queue'
        WHEN NOT c.has_messages THEN 'not a queue''s table'
        WHEN octet_length($2 || '_' || $1) > 63 AND pgmq._listed_name($1) IS NULL THEN 'that of a queue with a shorter name'
        -- pgmq.convert_archive_partitioned keeps the messages of the time before.
        WHEN $2 = 'a' AND name LIKE E'%\\_old' AND pgmq._listed_name($1) IS NULL
            AND pgmq._listed_name(left($1, -length('_old'))) IS NOT NULL THEN 'the older archive of another queue'
    END;
    IF what IS NOT NULL THEN
        RAISE EXCEPTION 'queue name "%" is taken: % is %', $1, pg_describe_object('pg_class'::regclass, c.oid, 0), what
            USING ERRCODE = 'wrong_object_type', HINT = 'Nothing was changed. Choose another name for the queue.';
    END IF;
    RETURN c.oid;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._table_of IS
    'A table of a queue: prefix q for the queue, a for its archive. NULL when there is none. Raises 42809 when the name is that of something else.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._free_index_name(name text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Postgres truncates names beyond 63 bytes, perhaps to that of another queue.
    SELECT CASE WHEN octet_length($1) <= 63 AND NOT EXISTS (
        SELECT FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relname = $1
    ) THEN quote_ident($1) ELSE '' END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._free_index_name IS
    'The name for CREATE INDEX; empty, so that Postgres chooses one, when the name is taken or too long.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._list_queue(queue_name text, q_table regclass)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    -- MyQueue and myqueue share a table, so they are one queue.
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged)
    SELECT $1, relkind = 'p', relpersistence = 'u'
    FROM pg_class
    WHERE oid = $2 AND pgmq._listed_name($1) IS NULL
    ON CONFLICT DO NOTHING;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._list_queue IS 'Lists a queue in pgmq.meta, as its table is, unless it is listed.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._create_queue(queue_name text, is_unlogged boolean)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    a_table CONSTANT text := pgmq.format_table_name($1, 'a');
    -- LIKE does not copy storage parameters.
    q_storage text := (
        SELECT coalesce('WITH (' || string_agg(option, ', ') || ')', '')
        FROM pg_class, unnest(reloptions) AS option
        WHERE oid = 'pgmq.template_queue'::regclass
    );
BEGIN
    PERFORM pgmq.validate_queue_name($1);
    PERFORM pgmq.acquire_queue_lock($1);

    IF pgmq._table_of($1, 'q') IS NULL THEN
        EXECUTE format(
            'CREATE %s TABLE pgmq.%I (
                LIKE pgmq.template_queue INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES
            ) %s',
            CASE WHEN $2 THEN 'UNLOGGED' END, q_table, q_storage
        );
    END IF;
    IF pgmq._table_of($1, 'a') IS NULL THEN
        EXECUTE format(
            'CREATE TABLE pgmq.%I (LIKE pgmq.template_archive INCLUDING DEFAULTS INCLUDING INDEXES)',
            a_table
        );
        EXECUTE format('CREATE INDEX %s ON pgmq.%I (archived_at)', pgmq._free_index_name('archived_at_idx_' || $1), a_table);
    END IF;
    PERFORM pgmq._list_queue($1, format('pgmq.%I', q_table)::regclass);
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
COMMENT ON FUNCTION pgmq.create IS 'Creates a queue and its archive; does nothing when the queue exists.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.create_unlogged(queue_name text)
RETURNS void
LANGUAGE sql
AS $$
    SELECT pgmq._create_queue($1, true);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.create_unlogged IS
    'Like pgmq.create, but for an unlogged queue: a crash of the server empties it, and standbys do not have it. The archive is durable.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.list_queues()
RETURNS SETOF pgmq.queue_record
LANGUAGE sql
AS $$
    SELECT queue_name, is_partitioned, is_unlogged, created_at FROM pgmq.meta;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.list_queues IS 'All queues, in no order.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._fire_notify_trigger(q_table text)
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
COMMENT ON FUNCTION pgmq._fire_notify_trigger IS
    'Fires the deferred trigger of pgmq.enable_notify_insert now: Postgres refuses to empty or drop a table with pending triggers.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._table_of_listed(queue_name text, prefix text)
RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found CONSTANT regclass := pgmq._table_of($1, $2);
BEGIN
    IF found IS NOT NULL AND pgmq._listed_name($1) IS NULL THEN
        RAISE EXCEPTION 'table % belongs to no queue in pgmq.meta', found
            USING ERRCODE = 'wrong_object_type',
                  HINT = format('Nothing was changed. SELECT pgmq.create(%L) lists the queue again.', $1);
    END IF;
    RETURN found;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._table_of_listed IS 'Like pgmq._table_of, and raises 42809 for a table of no listed queue.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.purge_queue(queue_name text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    purged  bigint;
BEGIN
    IF pgmq._table_of_listed($1, 'q') IS NULL THEN
        RAISE EXCEPTION 'relation "pgmq.%" does not exist', q_table USING ERRCODE = 'undefined_table';
    END IF;
    PERFORM pgmq._fire_notify_trigger(q_table);
    -- Locked first, so that it truncates the messages that it counted.
    EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', q_table);
    EXECUTE format('SELECT count(*) FROM pgmq.%I', q_table) INTO purged;
    EXECUTE format('TRUNCATE TABLE pgmq.%I', q_table);
    RETURN purged;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.purge_queue IS
    'Removes all messages of a queue, hidden ones included, and returns their number. The archive stays. Waits for open transactions that used the queue. Raises 42809 for a table of something else, such as a partition.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._extension_exists(extension_name text)
RETURNS boolean
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = $1);
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._get_pg_partman_schema()
RETURNS text
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_partman';
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._managed_by_partman(parent text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    managed boolean := false;
BEGIN
    IF pgmq._extension_exists('pg_partman') THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %s.part_config WHERE parent_table = $1)', pgmq._get_pg_partman_schema())
        USING 'pgmq.' || $1 INTO managed;
    END IF;
    RETURN managed;
END;
$$;
-- +goose StatementEnd

-- Up to PGMQ 1.4 it had a default, which CREATE OR REPLACE cannot remove.
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
DECLARE
    listed text;
    kind   text;
    names  text[];
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    PERFORM pgmq._fire_notify_trigger(pgmq.format_table_name($1, 'q'));

    listed := pgmq._listed_name($1);
    IF listed IS NULL AND pgmq._table_of_listed($1, 'q') IS NULL THEN
        RAISE NOTICE 'pgmq queue `%` does not exist', $1;
        RETURN false;
    END IF;

    FOREACH kind IN ARRAY '{q, a}'::text[] LOOP
        BEGIN
            -- One of the tables may have been dropped by hand.
            CONTINUE WHEN pgmq._table_of($1, kind) IS NULL;
        EXCEPTION WHEN wrong_object_type THEN
            RAISE NOTICE '%: it stays', SQLERRM;
            CONTINUE;
        END;
        IF pgmq._managed_by_partman(pgmq.format_table_name($1, kind)) THEN
            EXECUTE format('DELETE FROM %s.part_config WHERE parent_table = $1', pgmq._get_pg_partman_schema())
            USING 'pgmq.' || pgmq.format_table_name($1, kind);
        END IF;
        EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', pgmq.format_table_name($1, kind));
    END LOOP;
    names := ARRAY(SELECT m.queue_name FROM pgmq.meta AS m WHERE lower(m.queue_name) = lower($1));
    DELETE FROM pgmq.meta AS m WHERE m.queue_name = ANY (names);
    IF current_setting('session_replication_role') = 'replica' THEN
        -- The foreign keys are not heeded.
        DELETE FROM pgmq.partitioned_tables AS p WHERE p.queue_name = ANY (names);
        DELETE FROM pgmq.topic_bindings AS b WHERE b.queue_name = ANY (names);
        DELETE FROM pgmq.notify_insert_throttle AS n WHERE n.queue_name = ANY (names);
    END IF;
    RETURN true;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.drop_queue(text) IS
    'Drops a queue, its archive and all messages in both; false when the queue does not exist. Raises 42809 for a table of something else, such as a partition.';

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
DROP FUNCTION pgmq._managed_by_partman(text);
DROP FUNCTION pgmq._get_pg_partman_schema();
DROP FUNCTION pgmq._extension_exists(text);
DROP FUNCTION pgmq.purge_queue(text);
DROP FUNCTION pgmq._table_of_listed(text, text);
DROP FUNCTION pgmq._fire_notify_trigger(text);
DROP FUNCTION pgmq.list_queues();
DROP FUNCTION pgmq.create_unlogged(text);
DROP FUNCTION pgmq.create(text);
DROP FUNCTION pgmq.create_non_partitioned(text);
DROP FUNCTION pgmq._create_queue(text, boolean);
DROP FUNCTION pgmq._list_queue(text, regclass);
DROP FUNCTION pgmq._free_index_name(text);
DROP FUNCTION pgmq._table_of(text, text);
DROP FUNCTION pgmq._listed_name(text);
DROP FUNCTION pgmq.acquire_queue_lock(text);
DROP FUNCTION pgmq.validate_queue_name(text);
DROP FUNCTION pgmq.format_table_name(text, text);

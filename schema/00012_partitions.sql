-- Partitioned queues on a plain Postgres: by id, when the interval is a number
-- of messages; by time, when it is a duration.
--
-- Rows for which there is no partition yet go to the default partition, so no
-- send ever fails; pgmq.maintain_partitions puts them where they belong.

-- +goose Up
CREATE TABLE IF NOT EXISTS pgmq.partitioned_tables (
    queue_name         varchar NOT NULL REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
    prefix             text    NOT NULL CHECK (prefix IN ('q', 'a')),
    partition_interval text    NOT NULL,
    retention_interval text    NOT NULL,
    premake            integer NOT NULL,
    drop_unread        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (queue_name, prefix)
);
COMMENT ON TABLE pgmq.partitioned_tables IS
    'The tables whose partitions are made and dropped by pgmq.maintain_partitions, and how.';

SELECT pgmq._retire('{
    create_partitioned, convert_archive_partitioned, _get_partition_col, _get_pg_partman_schema,
    _get_pg_partman_major_version, _ensure_pg_partman_installed, _extension_exists, _belongs_to_pgmq
}');

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
CREATE OR REPLACE FUNCTION pgmq._belongs_to_pgmq(table_name text)
RETURNS boolean
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pgmq'
            AND d.classid = 'pg_class'::regclass AND d.objid = to_regclass(format('pgmq.%I', $1))
    );
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
CREATE OR REPLACE FUNCTION pgmq._get_pg_partman_major_version()
RETURNS integer
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT split_part(extversion, '.', 1)::integer FROM pg_extension WHERE extname = 'pg_partman';
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._ensure_pg_partman_installed()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pgmq._extension_exists('pg_partman') THEN
        RAISE EXCEPTION 'pg_partman is required for partitioned queues';
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._ensure_pg_partman_installed IS 'Part of PGMQ''s API. Nothing here needs pg_partman.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._get_partition_col(partition_interval text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM $1::integer;
    RETURN 'msg_id';
EXCEPTION WHEN others THEN
    RETURN 'enqueued_at';
END;
$$;
-- +goose StatementEnd

-- The name of a queue may not be that of another queue's partition. This
-- replaces the function of an earlier migration.
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
    IF EXISTS (
        SELECT FROM pg_class
        WHERE oid = to_regclass(format('pgmq.%I', pgmq.format_table_name(queue_name, 'q'))) AND relispartition
    ) THEN
        RAISE EXCEPTION 'queue name "%" is taken by a partition of another queue', queue_name;
    END IF;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._check_partitioning(partition_interval text, retention_interval text, premake integer)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    length interval;
BEGIN
    IF coalesce($3, 0) < 1 THEN
        RAISE EXCEPTION 'premake must be at least 1, got %', $3;
    END IF;
    IF pgmq._get_partition_col($1) = 'msg_id' THEN
        IF $1::integer < 1 OR $2::bigint < 0 THEN
            RAISE EXCEPTION 'partition_interval must be at least 1 and retention_interval at least 0, got % and %', $1, $2;
        END IF;
        RETURN;
    END IF;
    length := $1::interval;
    IF length <= interval '0' OR $2::interval < interval '0' THEN
        RAISE EXCEPTION 'partition_interval must be longer than 0 and retention_interval not shorter, got % and %', $1, $2;
    ELSIF extract(year FROM length) * 12 + extract(month FROM length) > 0
        AND length <> date_trunc('month', length)
    THEN
        RAISE EXCEPTION 'partition_interval must be whole months or a number of days, hours and so on, got %', $1;
    END IF;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._index_name(name text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- Longer than 63 bytes it would be cut off, perhaps to another queue's.
    SELECT CASE WHEN octet_length($1) <= 63 THEN quote_ident($1) ELSE '' END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._create_partitioned_table(
    queue_name text, prefix text, partition_interval text, retention_interval text, premake integer
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent  CONSTANT text := pgmq.format_table_name($1, $2);
    is_q    CONSTANT boolean := $2 = 'q';
    by_id   CONSTANT boolean := pgmq._get_partition_col($3) = 'msg_id';
    control CONSTANT text := CASE WHEN by_id THEN 'msg_id' WHEN is_q THEN 'enqueued_at' ELSE 'archived_at' END;
BEGIN
    EXECUTE format(
        'CREATE TABLE pgmq.%I (LIKE pgmq.%I INCLUDING DEFAULTS) PARTITION BY RANGE (%I)',
        parent, CASE WHEN is_q THEN 'template_queue' ELSE 'template_archive' END, control
    );
    IF is_q THEN
        EXECUTE format('ALTER TABLE pgmq.%I ALTER msg_id ADD GENERATED BY DEFAULT AS IDENTITY', parent);
        EXECUTE format('CREATE INDEX %s ON pgmq.%I (%I)', pgmq._index_name('q_' || $1 || '_part_idx'), parent, control);
        PERFORM pgmq._create_fifo_index_if_not_exists($1);
    ELSE
        EXECUTE format('CREATE INDEX %s ON pgmq.%I (archived_at)', pgmq._index_name('archived_at_idx_' || $1), parent);
    END IF;
    IF NOT (is_q AND by_id) THEN
        EXECUTE format('CREATE INDEX ON pgmq.%I (msg_id)', parent); -- what is settled is found by its id
    END IF;
    INSERT INTO pgmq.partitioned_tables (queue_name, prefix, partition_interval, retention_interval, premake)
    VALUES (pgmq._listed_name($1), $2, $3, $4, $5);
    EXECUTE format(
        'CREATE TABLE pgmq.%I PARTITION OF pgmq.%I DEFAULT %s',
        pgmq._partition_name(parent, 'default', '_'), parent, pgmq._storage(parent)
    );
    -- Nobody else sees the table yet: every step is done here and now.
    WHILE pgmq._maintain_step($1, $2) IS NOT NULL LOOP
        NULL;
    END LOOP;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.create_partitioned(
    queue_name text, partition_interval text DEFAULT '10000', retention_interval text DEFAULT '100000',
    premake integer DEFAULT 4
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgmq.validate_queue_name($1);
    PERFORM pgmq.acquire_queue_lock($1);
    PERFORM pgmq._check_partitioning($2, $3, $4);
    -- Not by to_regclass, which may not know yet what others did while we waited.
    IF EXISTS (
        SELECT FROM pg_class
        WHERE relnamespace = 'pgmq'::regnamespace AND relname = pgmq.format_table_name($1, 'q')
    ) THEN
        RETURN;
    END IF;
    INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES ($1, true, false);
    PERFORM pgmq._create_partitioned_table($1, 'q', $2, $3, $4);
    PERFORM pgmq._create_partitioned_table($1, 'a', $2, $3, $4);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.create_partitioned IS
    'Makes a queue whose tables are partitioned: by id, when the intervals are numbers of messages, else by time. Does nothing to a queue that exists. CALL pgmq.maintain_partitions() from time to time.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.convert_archive_partitioned(
    table_name text, partition_interval text DEFAULT '10000', retention_interval text DEFAULT '100000',
    leading_partition integer DEFAULT 10
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    a_table CONSTANT text := pgmq.format_table_name($1, 'a');
    archive regclass;
    index   regclass;
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    archive := (SELECT oid FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace AND relname = a_table);
    -- The letter behind the name is PGMQ's.
    IF archive IS NULL THEN
        RAISE NOTICE 'Table %s does not exists', a_table;
        RETURN;
    ELSIF EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = archive) THEN
        RAISE NOTICE 'Table %s is already partitioned', a_table;
        RETURN;
    END IF;
    PERFORM pgmq._check_partitioning($2, $3, $4);
    IF octet_length(a_table || '_old') > 63 OR to_regclass(format('pgmq.%I', a_table || '_old')) IS NOT NULL THEN
        RAISE EXCEPTION 'the archive cannot be called "%": the name is taken or too long', a_table || '_old';
    END IF;
    EXECUTE format('ALTER TABLE %s RENAME TO %I', archive, a_table || '_old');
    FOR index IN SELECT indexrelid FROM pg_index WHERE indrelid = archive LOOP
        -- The constraint of a key is renamed with it.
        EXECUTE format('ALTER INDEX %s RENAME TO %I', index, 'old_' || index::oid);
    END LOOP;
    PERFORM pgmq._create_partitioned_table($1, 'a', $2, $3, $4);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.convert_archive_partitioned IS
    'Gives a queue a new, partitioned archive. What was archived so far stays where it is, in a_<queue>_old.';

-- +goose Down
DROP FUNCTION pgmq.convert_archive_partitioned(text, text, text, integer);
DROP FUNCTION pgmq.create_partitioned(text, text, text, integer);
DROP FUNCTION pgmq._create_partitioned_table(text, text, text, text, integer);
DROP FUNCTION pgmq._index_name(text);
DROP FUNCTION pgmq._check_partitioning(text, text, integer);
DROP FUNCTION pgmq._get_partition_col(text);
DROP FUNCTION pgmq._ensure_pg_partman_installed();
DROP FUNCTION pgmq._get_pg_partman_major_version();
DROP FUNCTION pgmq._get_pg_partman_schema();
DROP FUNCTION pgmq._belongs_to_pgmq(text);
DROP FUNCTION pgmq._extension_exists(text);
DROP TABLE pgmq.partitioned_tables;
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

-- The steps that maintain a partitioned table: create partitions ahead of the
-- messages, empty the default partition, drop expired partitions.
--
-- Bounds go from one function to the other as text. Those that print or parse times
-- set the time zone and the DateStyle themselves.

-- +goose Up
CREATE TABLE IF NOT EXISTS pgmq.partitioned_tables (
    queue_name         varchar NOT NULL REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
    prefix             text    NOT NULL CHECK (prefix IN ('q', 'a')),
    partition_interval text    NOT NULL,
    retention_interval text,
    premake            integer NOT NULL,
    drop_unread        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (queue_name, prefix)
);
COMMENT ON TABLE pgmq.partitioned_tables IS
    'The partitioned tables that pgmq.maintain_partitions maintains, with their settings. Without a retention, partitions stay.';
-- +goose StatementBegin
DO $$
BEGIN
    -- It goes when pgmq.meta is dropped, of which there is a new one now.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = 'pgmq.partitioned_tables'::regclass AND contype = 'f') THEN
        UPDATE pgmq.partitioned_tables AS t SET queue_name = m.queue_name FROM pgmq.meta AS m WHERE pg_catalog.lower(m.queue_name) = pg_catalog.lower(t.queue_name);
        DELETE FROM pgmq.partitioned_tables AS t WHERE NOT EXISTS (SELECT FROM pgmq.meta AS m WHERE m.queue_name = t.queue_name);
        ALTER TABLE pgmq.partitioned_tables
            ADD CONSTRAINT partitioned_tables_queue_name_fkey FOREIGN KEY (queue_name) REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE;
    END IF;
END $$;
-- +goose StatementEnd

SELECT pgmq._drop_outdated('{
    _get_partition_col, _get_pg_partman_major_version, _ensure_pg_partman_installed, _belongs_to_pgmq
}');

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
COMMENT ON FUNCTION pgmq._ensure_pg_partman_installed IS 'Part of PGMQ''s API. This schema does not need pg_partman.';

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

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._partition_name(parent text, part text, separator text DEFAULT '$')
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- No queue's name contains a $. The default partition has PGMQ's name for it,
    -- unless a queue has that name.
    SELECT CASE
        WHEN octet_length($1 || $3 || $2) <= 63 AND ($3 = '$' OR to_regclass(format('pgmq.%I', $1 || $3 || $2)) IS NULL) THEN $1 || $3 || $2
        WHEN octet_length($1 || '$' || $2) <= 63 THEN $1 || '$' || $2
        ELSE 'p' || format('pgmq.%I', $1)::regclass::oid || '$' || $2 END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._storage_parameters(parent text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'WITH (' || string_agg(option, ', ') || ')'
    FROM pg_class, unnest(reloptions) AS option
    WHERE oid = 'pgmq.template_queue'::regclass AND starts_with($1, 'q_');
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._storage_parameters IS 'The storage parameters of a partition, which does not inherit any from its table.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._partition_bounds(
    value text, partition_interval text, OUT lower text, OUT upper text, OUT part text
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
    size   bigint;
    length interval;
    months integer;
    month  integer;
    start  timestamptz;
BEGIN
    IF $1 IS NULL THEN
        RETURN;
    ELSIF pgmq._get_partition_col($2) = 'msg_id' THEN
        size := $2::bigint;
        part := (floor($1::numeric / size) * size)::bigint;
        lower := part;
        upper := part::bigint + size;
        RETURN;
    END IF;
    length := $2::interval;
    months := extract(year FROM length) * 12 + extract(month FROM length);
    IF months > 0 THEN
        month := extract(year FROM $1::timestamptz) * 12 + extract(month FROM $1::timestamptz) - 1;
        month := month - month % months;
        start := make_timestamptz(month / 12, month % 12 + 1, 1, 0, 0, 0);
    ELSE
        start := date_bin(length, $1::timestamptz, '2000-01-03 00:00+00');
    END IF;
    part := to_char(start, 'YYYYMMDDHH24MISS');
    lower := start;
    upper := start + length;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._partition_bounds IS
    'The bounds of the partition of a message id or a time, and the part of its name.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._partitions_of(parent text)
RETURNS TABLE (name text, lower text, upper text, from_ numeric, to_ numeric)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
AS $$
    SELECT c.relname, b[1], b[2], CASE WHEN k.by_id THEN b[1]::numeric ELSE extract(epoch FROM b[1]::timestamptz) END,
        CASE WHEN k.by_id THEN b[2]::numeric ELSE extract(epoch FROM b[2]::timestamptz) END
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid,
    LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), E'FROM \\(''(.*)''\\) TO \\(''(.*)''\\)') AS b,
    LATERAL (SELECT pg_get_partkeydef(i.inhparent) = 'RANGE (msg_id)' AS by_id) AS k
    WHERE i.inhparent = format('pgmq.%I', $1)::regclass AND b IS NOT NULL
    ORDER BY c.oid;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._partitions_of IS
    'The partitions of a table but the default one, as the catalogue has them, and their bounds: also as numbers, ids or seconds since 1970.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._partition_for(
    parent text, value text, partition_interval text, OUT lower text, OUT upper text, OUT name text, OUT missing boolean
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
    by_id CONSTANT boolean := pgmq._get_partition_col($3) = 'msg_id';
    at    CONSTANT numeric := CASE WHEN by_id THEN $2::numeric ELSE extract(epoch FROM $2::timestamptz) END;
    since numeric;
    until numeric;
BEGIN
    SELECT p.lower, p.upper, p.name, false INTO lower, upper, name, missing
    FROM pgmq._partitions_of($1) AS p
    WHERE p.from_ <= at AND at < p.to_;
    IF FOUND OR at IS NULL THEN
        RETURN;
    END IF;
    SELECT b.lower, b.upper, pgmq._partition_name($1, b.part), true INTO lower, upper, name, missing
    FROM pgmq._partition_bounds($2, $3) AS b;
    -- Others may have drawn the bounds of its neighbours elsewhere.
    since := CASE WHEN by_id THEN lower::numeric ELSE extract(epoch FROM lower::timestamptz) END;
    until := CASE WHEN by_id THEN upper::numeric ELSE extract(epoch FROM upper::timestamptz) END;
    lower := coalesce((SELECT p.upper FROM pgmq._partitions_of($1) AS p WHERE p.to_ <= at AND p.to_ > since ORDER BY p.to_ DESC LIMIT 1), lower);
    upper := coalesce((SELECT p.lower FROM pgmq._partitions_of($1) AS p WHERE p.from_ > at AND p.from_ < until ORDER BY p.from_ LIMIT 1), upper);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._partition_for IS
    'The partition of a message id or a time: the one that is there, or the one to create, within its neighbours.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._partition_high_water(queue_name text, partition_interval text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
    front text := now();
BEGIN
    IF pgmq._get_partition_col($2) = 'msg_id' THEN
        EXECUTE format(
            'SELECT last_value FROM %s',
            pg_get_serial_sequence(format('pgmq.%I', pgmq.format_table_name($1, 'q')), 'msg_id')
        ) INTO front;
    END IF;
    RETURN front;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._partition_high_water IS 'The high-water mark of a partitioned queue: the last message id, or the current time.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._create_partition(parent text, control text, lower text, upper text, name text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    waiting CONSTANT regclass := (
        SELECT nullif(partdefid, 0) FROM pg_partitioned_table WHERE partrelid = format('pgmq.%I', $1)::regclass
    );
    columns CONSTANT text := (
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
        FROM pg_attribute
        WHERE attrelid = format('pgmq.%I', $1)::regclass AND attnum > 0 AND NOT attisdropped
    );
    moved   bigint := 0;
BEGIN
    -- All sessions wait while rows move, and find them in their new place. A weaker
    -- lock does not do: ATTACH locks the default partition like this, and a reader
    -- of one partition after the other must not see a row twice or not at all.
    EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', $1);
    EXECUTE format('CREATE TABLE pgmq.%I (LIKE pgmq.%I INCLUDING DEFAULTS INCLUDING INDEXES) %s', $5, $1, pgmq._storage_parameters($1));
    PERFORM pgmq._set_replica_identity(format('pgmq.%I', $5)::regclass);
    IF waiting IS NOT NULL THEN
        EXECUTE format(
            'WITH moved AS (DELETE FROM %1$s WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING %5$s)
            INSERT INTO pgmq.%6$I (%5$s) SELECT %5$s FROM moved',
            waiting, $2, $3, $4, columns, $5
        );
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;
    EXECUTE format('ALTER TABLE pgmq.%I ATTACH PARTITION pgmq.%I FOR VALUES FROM (%L) TO (%L)', $1, $5, $3, $4);
    RETURN moved;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._create_partition IS
    'Creates a partition, moves the rows of its range there from the default partition, and returns their number.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._missing_partition(
    t pgmq.partitioned_tables, parent text, control text, OUT lower text, OUT upper text, OUT name text
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
    value   text := pgmq._partition_high_water(t.queue_name, t.partition_interval);
    waiting regclass;
    next    record;
BEGIN
    FOR ahead IN 0..t.premake LOOP
        next := pgmq._partition_for($2, value, t.partition_interval);
        EXIT WHEN next.missing;
        value := next.upper;
    END LOOP;
    IF NOT next.missing THEN
        -- Rows that arrived before their partition existed.
        value := NULL;
        waiting := (
            SELECT nullif(partdefid, 0) FROM pg_partitioned_table WHERE partrelid = format('pgmq.%I', $2)::regclass
        );
        IF waiting IS NOT NULL THEN
            EXECUTE format('SELECT %1$I::text FROM %2$s ORDER BY %1$I LIMIT 1', $3, waiting) INTO value;
        END IF;
        next := pgmq._partition_for($2, value, t.partition_interval);
    END IF;
    IF next.missing THEN
        lower := next.lower;
        upper := next.upper;
        name := next.name;
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._missing_partition IS 'The next partition to create; NULLs when all exist.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._drop_expired_partition(t pgmq.partitioned_tables, parent text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, YMD'
AS $$
DECLARE
    front  CONSTANT text := pgmq._partition_high_water(t.queue_name, t.partition_interval);
    by_id  CONSTANT boolean := pgmq._get_partition_col(t.partition_interval) = 'msg_id';
    old    record;
    unread boolean := false;
BEGIN
    FOR old IN
        SELECT p.name, p.upper FROM pgmq._partitions_of($2) AS p WHERE t.retention_interval IS NOT NULL
    LOOP
        CONTINUE WHEN CASE WHEN by_id
            THEN old.upper::bigint > front::bigint - t.retention_interval::bigint
            ELSE old.upper::timestamptz > front::timestamptz - t.retention_interval::interval
        END;
        IF t.prefix = 'q' AND NOT t.drop_unread THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM pgmq.%I)', old.name) INTO unread;
            CONTINUE WHEN unread;
            -- Checked again under the lock: a message may have arrived meanwhile.
            EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', $2);
            EXECUTE format('SELECT EXISTS (SELECT FROM pgmq.%I)', old.name) INTO unread;
            CONTINUE WHEN unread;
        END IF;
        EXECUTE format('DROP TABLE pgmq.%I', old.name);
        RETURN old.name;
    END LOOP;
    RETURN NULL;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._drop_expired_partition IS
    'Drops one partition beyond the retention and returns its name; NULL when there is none. Keeps partitions of a queue that hold messages, unless drop_unread is set.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._plain_interval(value text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE lower($1)
        WHEN 'yearly' THEN '1 year'
        WHEN 'quarterly' THEN '3 months'
        WHEN 'monthly' THEN '1 month'
        WHEN 'weekly' THEN '1 week'
        WHEN 'daily' THEN '1 day'
        WHEN 'hourly' THEN '1 hour'
        WHEN 'half-hour' THEN '30 minutes'
        WHEN 'quarter-hour' THEN '15 minutes'
        ELSE $1
    END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._plain_interval IS 'An interval for Postgres, in place of a word of pg_partman.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._take_on_partitions(
    queue_name text, prefix text, partition_interval text DEFAULT NULL, retention_interval text DEFAULT NULL,
    premake integer DEFAULT 4
)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET intervalstyle = 'postgres'
AS $$
#variable_conflict use_column
DECLARE
    parent CONSTANT text := pgmq.format_table_name($1, $2);
    column_ CONSTANT text := (
        SELECT substring(pg_get_partkeydef(partrelid) FROM E'^RANGE \\((msg_id|enqueued_at|archived_at)\\)$')
        FROM pg_partitioned_table
        WHERE partrelid = pgmq._table_of($1, $2)
    );
    size   text := $3;
BEGIN
    IF column_ IS NULL OR pgmq._managed_by_partman(parent)
        OR EXISTS (SELECT FROM pgmq.partitioned_tables WHERE queue_name = pgmq._listed_name($1) AND prefix = $2)
    THEN
        RETURN NULL;
    END IF;
    -- As long as those that are there. Bounds at the beginnings of months are months.
    IF size IS NULL AND column_ = 'msg_id' THEN
        size := (SELECT (to_ - from_)::bigint FROM pgmq._partitions_of(parent) ORDER BY to_ DESC LIMIT 1);
    ELSIF size IS NULL THEN
        size := (
            SELECT CASE
                WHEN bool_and(p.since = date_trunc('month', p.since) AND p.until = date_trunc('month', p.until))
                    THEN mode() WITHIN GROUP (ORDER BY age(p.until, p.since))
                ELSE mode() WITHIN GROUP (ORDER BY p.until - p.since)
            END
            FROM (SELECT lower::timestamptz AS since, upper::timestamptz AS until FROM pgmq._partitions_of(parent)) AS p
        );
    END IF;
    -- Without any but the default partition, as long as those of the queue or its archive.
    size := coalesce(size, (SELECT partition_interval FROM pgmq.partitioned_tables WHERE queue_name = pgmq._listed_name($1)));
    IF size IS NULL OR (column_ = 'msg_id') <> (pgmq._get_partition_col(size) = 'msg_id') THEN
        RETURN NULL;
    END IF;
    INSERT INTO pgmq.partitioned_tables (queue_name, prefix, partition_interval, retention_interval, premake)
    VALUES (pgmq._listed_name($1), $2, size, $4, $5);
    RETURN format('took on %s, with partitions of %s', parent, size);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._take_on_partitions IS
    'Gives a partitioned table without settings some, so that pgmq.maintain_partitions maintains it, and says so: the interval is that of its partitions, and they stay, unless the caller says otherwise. NULL when it has settings, is pg_partman''s, or cannot be maintained.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._maintain_step(queue_name text, prefix text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    parent  CONSTANT text := pgmq.format_table_name($1, $2);
    t       pgmq.partitioned_tables;
    control text;
    missing record;
    moved   bigint;
    dropped text;
BEGIN
    SELECT c.* INTO t
    FROM pgmq.partitioned_tables AS c
    WHERE c.queue_name = pgmq._listed_name($1) AND c.prefix = $2;
    IF NOT FOUND THEN
        RETURN pgmq._take_on_partitions($1, $2);
    ELSIF pgmq._managed_by_partman(parent) THEN
        RETURN NULL;
    END IF;
    BEGIN
        -- By name, which Postgres looks up again: the session that held the
        -- queue's lock may have dropped it.
        EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS SHARE MODE', parent);
    EXCEPTION WHEN undefined_table THEN
        RETURN NULL;
    END;
    control := substring(pg_get_partkeydef(format('pgmq.%I', parent)::regclass) FROM E'\\((.*)\\)');

    missing := pgmq._missing_partition(t, parent, control);
    IF missing.name IS NOT NULL THEN
        moved := pgmq._create_partition(parent, control, missing.lower, missing.upper, missing.name);
        RETURN format('made %s, moved %s', missing.name, moved);
    END IF;
    dropped := pgmq._drop_expired_partition(t, parent);
    RETURN 'dropped ' || dropped;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._maintain_step IS
    'Runs the next step that a partitioned table needs and describes it; NULL when there is nothing to do.';

-- +goose Down
SELECT pgmq._refuse_to_lose('pgmq.partitioned_tables', 'settings of partitions', 'Drop the partitioned queues first');
DROP FUNCTION pgmq._maintain_step(text, text);
DROP FUNCTION pgmq._take_on_partitions(text, text, text, text, integer);
DROP FUNCTION pgmq._plain_interval(text);
DROP FUNCTION pgmq._drop_expired_partition(pgmq.partitioned_tables, text);
DROP FUNCTION pgmq._missing_partition(pgmq.partitioned_tables, text, text);
DROP FUNCTION pgmq._create_partition(text, text, text, text, text);
DROP FUNCTION pgmq._partition_high_water(text, text);
DROP FUNCTION pgmq._partition_for(text, text, text);
DROP FUNCTION pgmq._partitions_of(text);
DROP FUNCTION pgmq._partition_bounds(text, text);
DROP FUNCTION pgmq._storage_parameters(text);
DROP FUNCTION pgmq._partition_name(text, text, text);
DROP FUNCTION pgmq._get_partition_col(text);
DROP FUNCTION pgmq._ensure_pg_partman_installed();
DROP FUNCTION pgmq._get_pg_partman_major_version();
DROP FUNCTION pgmq._belongs_to_pgmq(text);
DROP TABLE pgmq.partitioned_tables;

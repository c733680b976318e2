-- The upkeep of partitioned queues, step by step, beside everything else.

-- +goose Up
-- Without SET, which would forbid COMMIT: everything is qualified.
-- +goose StatementBegin
CREATE OR REPLACE PROCEDURE pgmq.maintain_partitions(queue_name text DEFAULT NULL)
LANGUAGE plpgsql
AS $$
DECLARE
    t    record;
    done text;
BEGIN
    FOR t IN
        SELECT c.queue_name, c.prefix
        FROM pgmq.partitioned_tables AS c
        WHERE $1 IS NULL
            OR pgmq.format_table_name(c.queue_name, 'q') OPERATOR(pg_catalog.=) pgmq.format_table_name($1, 'q')
        ORDER BY c.queue_name, c.prefix DESC
    LOOP
        LOOP
            done := NULL;
            -- One step, one transaction: no lock is held for the next.
            IF pgmq._try_queue_lock(t.queue_name) THEN
                done := pgmq._try_maintain_step(t.queue_name, t.prefix);
            END IF;
            COMMIT;
            EXIT WHEN done IS NULL;
            RAISE NOTICE 'pgmq: %', done;
        END LOOP;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON PROCEDURE pgmq.maintain_partitions IS
    'Makes the partitions that are missing, moves to them what waits in the default partition, and drops those behind the retention; of one queue or of all. CALL it from any scheduler, as often as you like; not inside of a transaction.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._try_queue_lock(queue_name text)
RETURNS boolean
LANGUAGE sql
AS $$
    SELECT pg_catalog.pg_try_advisory_xact_lock(
        pg_catalog.hashtextextended('pgmq.' OPERATOR(pg_catalog.||) pgmq.format_table_name($1, 'q'), 0)
    );
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._try_queue_lock IS 'pgmq.acquire_queue_lock that does not wait: false when somebody else has the lock.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._try_maintain_step(queue_name text, prefix text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    done text;
BEGIN
    FOR attempt IN 1..20 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '500ms', true);
            done := pgmq._maintain_step($1, $2);
            PERFORM set_config('lock_timeout', '0', true);
            RETURN done;
        EXCEPTION
            WHEN lock_not_available THEN
                -- Whoever waits for a table makes everybody behind it wait: give way.
                PERFORM pg_sleep(0.2);
            WHEN others THEN
                -- The other queues need their upkeep all the same.
                RAISE WARNING 'pgmq: queue %: %', quote_ident($1), SQLERRM;
                RETURN NULL;
        END;
    END LOOP;
    RAISE WARNING 'pgmq: queue % is in use by a long transaction, and left for the next run', quote_ident($1);
    RETURN NULL;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_partition_retention(
    queue_name text, retention_interval text, drop_unread boolean DEFAULT false
)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    t pgmq.partitioned_tables;
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    FOR t IN SELECT * FROM pgmq.partitioned_tables WHERE queue_name = pgmq._listed_name($1) LOOP
        PERFORM pgmq._check_partitioning(t.partition_interval, $2, t.premake);
    END LOOP;
    UPDATE pgmq.partitioned_tables
    SET retention_interval = $2, drop_unread = $3
    WHERE queue_name = pgmq._listed_name($1);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Queue "%" has no partitions that pgmq.maintain_partitions looks after', $1;
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.set_partition_retention IS
    'Changes how long the partitions of a queue and its archive are kept. With drop_unread, messages that nobody settled go with their partition.';

-- Replaces the function of an earlier migration: it also tells
-- pg_partman, and does not stumble over a send of its own transaction.
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
    parent  text;
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    PERFORM pgmq._announce_now(q_table);

    IF to_regclass(format('pgmq.%I', q_table)) IS NULL
        AND NOT EXISTS (SELECT FROM pgmq.meta WHERE pgmq.format_table_name(queue_name, 'q') = q_table)
    THEN
        RAISE NOTICE 'pgmq queue `%` does not exist', $1;
        RETURN false;
    END IF;

    FOREACH parent IN ARRAY ARRAY[q_table, a_table] LOOP
        IF pgmq._managed_by_partman(parent) THEN
            EXECUTE format('DELETE FROM %s.part_config WHERE parent_table = $1', pgmq._get_pg_partman_schema())
            USING 'pgmq.' || parent;
        END IF;
    END LOOP;
    -- IF EXISTS: somebody may have dropped one of the tables by hand.
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', q_table);
    EXECUTE format('DROP TABLE IF EXISTS pgmq.%I', a_table);
    DELETE FROM pgmq.meta WHERE pgmq.format_table_name(queue_name, 'q') = q_table;
    RETURN true;
END;
$$;
-- +goose StatementEnd

-- +goose Down
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
DROP FUNCTION pgmq.set_partition_retention(text, text, boolean);
DROP PROCEDURE pgmq.maintain_partitions(text);
DROP FUNCTION pgmq._try_maintain_step(text, text);
DROP FUNCTION pgmq._try_queue_lock(text);

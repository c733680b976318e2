-- +goose NO TRANSACTION
-- Gives queues that PGMQ made the storage of the template, and the trigger of this
-- schema, if they notify: PGMQ's trigger notifies in each transaction. Partitioned
-- tables without a primary key get a replica identity.

-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._apply_storage(queue_name text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $$
DECLARE
    q_table  CONSTANT text := pgmq.format_table_name($1, 'q');
    q        CONSTANT regclass := to_regclass(format('pgmq.%I', q_table));
    patience CONSTANT text := current_setting('lock_timeout');
    -- A partitioned table has no storage parameters.
    options  CONSTANT text := (
        SELECT string_agg(option, ', ')
        FROM pg_class AS template, unnest(template.reloptions) AS option, pg_class AS c
        WHERE template.oid = 'pgmq.template_queue'::regclass AND c.oid = q AND c.relkind = 'r'
            AND option <> ALL (coalesce(c.reloptions, '{}'))
    );
    -- With PGMQ's index on vt each read updates all indexes. PGMQ's index for groups
    -- cannot find a group.
    needless CONSTANT text := (
        SELECT string_agg(format('pgmq.%I', c.relname), ', ')
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = q AND NOT i.indisunique AND i.indnatts = 1
            AND (pg_get_indexdef(c.oid, 1, false) = 'vt'
                OR pg_get_indexdef(c.oid, 1, false) = 'headers' AND c.relname = q_table || '_fifo_idx')
    );
    -- On up to 32 MB, building the index takes a moment.
    ordered  CONSTANT boolean := pgmq._has_group_index(q) OR 32 * 1024 * 1024 < (
        SELECT pg_relation_size(q) + coalesce(sum(pg_relation_size(inhrelid)), 0) FROM pg_inherits WHERE inhparent = q
    );
    -- MyQueue and myqueue share a table: keep the name of the channel.
    old_trigger CONSTANT boolean := EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = q AND tgname = 'trigger_notify_queue_insert_listeners' AND NOT tginitdeferred
    );
    notified   record;
BEGIN
    IF q IS NULL OR options IS NULL AND needless IS NULL AND ordered AND NOT old_trigger THEN
        RETURN false;
    END IF;
    SELECT m.queue_name, coalesce(t.throttle_interval_ms, 250) AS throttle_interval_ms
    INTO notified
    FROM pgmq.meta AS m LEFT JOIN pgmq.notify_insert_throttle AS t ON t.queue_name = m.queue_name
    WHERE lower(m.queue_name) = lower($1)
    ORDER BY t.queue_name IS NULL, m.queue_name
    LIMIT 1;

    FOR attempt IN 1..20 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '500ms', true);
            PERFORM pgmq.acquire_queue_lock($1);
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', q);
            PERFORM set_config('lock_timeout', patience, true);
            IF options IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %s SET (%s)', q, options);
            END IF;
            IF needless IS NOT NULL THEN
                EXECUTE format('DROP INDEX %s', needless);
            END IF;
            IF NOT ordered THEN
                PERFORM pgmq._create_fifo_index_if_not_exists($1);
            END IF;
            IF old_trigger THEN
                PERFORM pgmq.enable_notify_insert(notified.queue_name, notified.throttle_interval_ms);
            END IF;
            RETURN true;
        EXCEPTION WHEN lock_not_available THEN
            -- Other sessions queue up behind one that waits for a lock: give way.
            PERFORM pg_sleep(0.2);
        END;
    END LOOP;
    RAISE NOTICE 'queue % is in use and keeps its old storage', quote_ident($1)
        USING HINT = format('Run this when it is quiet: SELECT pgmq._apply_storage(%L)', $1);
    RETURN false;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._apply_storage IS
    'Gives a queue the storage parameters and indexes of the template, and the trigger of this schema if it notifies. True when something changed. A queue beyond 32 MB gets the index on groups only by pgmq.create_fifo_index.';

-- One transaction for each queue: the next one starts without a lock.
-- +goose StatementBegin
DO $$
DECLARE
    queue   text;
    changed boolean;
BEGIN
    -- PGMQ refuses the others, too.
    FOR queue IN SELECT queue_name FROM pgmq.meta WHERE queue_name !~ '[$]|;|--|''' ORDER BY queue_name LOOP
        changed := pgmq._apply_storage(queue);
        SELECT changed OR coalesce(bool_or(pgmq._set_replica_identity(t.oid)), false) INTO changed
        FROM
            unnest('{q, a}'::text[]) AS prefix,
            to_regclass(format('pgmq.%I', lower(prefix || '_' || queue))) AS parent,
            LATERAL (SELECT parent::oid AS oid UNION SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = parent) AS t;
        IF changed THEN
            COMMIT;
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION IF EXISTS pgmq._apply_storage(text); -- IF EXISTS: a run may have stopped right after it

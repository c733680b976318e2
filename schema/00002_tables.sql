-- What Postgres stores: the catalogue of queues, PGMQ's composite types, and the
-- two tables that every queue is a copy of.
--
-- IF NOT EXISTS, because a database with PGMQ keeps its catalogue and its queues.

-- +goose Up
CREATE TABLE IF NOT EXISTS pgmq.meta (
    queue_name     varchar     UNIQUE NOT NULL,
    is_partitioned boolean     NOT NULL,
    is_unlogged    boolean     NOT NULL,
    created_at     timestamptz DEFAULT now() NOT NULL
);
COMMENT ON TABLE pgmq.meta IS 'One row per queue.';

-- The list of the queues may be lost and not the queues: the extension was dropped,
-- or the table was. Their names are those of the tables then, in lower case.
INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged)
SELECT substr(q.relname, 3), q.relkind = 'p', q.relpersistence = 'u'
FROM pg_catalog.pg_class AS q
JOIN pg_catalog.pg_class AS a ON a.relnamespace = q.relnamespace AND a.relname = 'a_' || substr(q.relname, 3)
WHERE q.relnamespace = 'pgmq'::regnamespace AND q.relname LIKE E'q\\_%'
    AND q.relkind IN ('r', 'p') AND NOT q.relispartition AND NOT EXISTS (SELECT FROM pgmq.meta);

-- A publication makes Postgres refuse updates and deletes of tables that have
-- neither a primary key nor another replica identity.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._set_replica_identity(relation regclass)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    patience CONSTANT text := current_setting('lock_timeout');
    key      CONSTANT text := (
        SELECT quote_ident(k.relname)
        FROM pg_index AS i JOIN pg_class AS k ON k.oid = i.indexrelid
        WHERE i.indrelid = $1 AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
            AND NOT EXISTS (
                SELECT FROM unnest(i.indkey[0 : i.indnkeyatts - 1]) AS used
                LEFT JOIN pg_attribute AS a ON a.attrelid = $1 AND a.attnum = used
                WHERE a.attnotnull IS NOT TRUE
            )
        ORDER BY i.indnkeyatts, k.relname
        LIMIT 1
    );
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_class AS c
        WHERE c.oid = $1 AND c.relkind = 'r' AND c.relreplident <> 'f' AND NOT EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
        )
    ) THEN
        RETURN false;
    END IF;
    FOR attempt IN 1..10 LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '500ms', true);
            EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', $1, coalesce('USING INDEX ' || key, 'FULL'));
            PERFORM set_config('lock_timeout', patience, true);
            RETURN true;
        EXCEPTION WHEN lock_not_available THEN
            -- Other sessions queue up behind one that waits for a lock: give way.
            PERFORM pg_sleep(0.2);
        END;
    END LOOP;
    RAISE NOTICE 'table % is in use and gets no replica identity', $1
        USING HINT = format('Run this when it is quiet: SELECT pgmq._set_replica_identity(%L)', $1);
    RETURN false;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._set_replica_identity IS
    'Gives a table that has neither a primary key nor a replica identity one: a unique index, or all columns. True when it was changed.';
SELECT pgmq._set_replica_identity('pgmq.meta');

-- +goose StatementBegin
DO $$
BEGIN
    -- The order of the attributes is API: some clients decode by position.
    IF to_regtype('pgmq.message_record') IS NULL THEN
        CREATE TYPE pgmq.message_record AS (
            msg_id       bigint,
            read_ct      integer,
            enqueued_at  timestamptz,
            last_read_at timestamptz,
            vt           timestamptz,
            message      jsonb,
            headers      jsonb
        );
    END IF;

    IF to_regtype('pgmq.queue_record') IS NULL THEN
        CREATE TYPE pgmq.queue_record AS (
            queue_name     varchar,
            is_partitioned boolean,
            is_unlogged    boolean,
            created_at     timestamptz
        );
    END IF;

    IF to_regtype('pgmq.metrics_result') IS NULL THEN
        CREATE TYPE pgmq.metrics_result AS (
            queue_name               text,
            queue_length             bigint,
            newest_msg_age_sec       integer,
            oldest_msg_age_sec       integer,
            total_messages           bigint,
            scrape_time              timestamptz,
            queue_visible_length     bigint,
            default_partition_length bigint
        );
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._refuse_to_lose(relation regclass, what text, hint text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lost boolean;
BEGIN
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', $1);
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', $1) INTO lost;
    IF lost AND coalesce(current_setting('pgmq.drop_messages', true), '') NOT IN ('on', 'true', '1', 'yes') THEN
        RAISE EXCEPTION '% still holds %', $1, $2
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = $3 || ', or set pgmq.drop_messages to on for this session.';
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._refuse_to_lose IS
    'For ways down: raises 55000 while a table holds rows, unless the session sets pgmq.drop_messages to on, for example by PGOPTIONS=''-c pgmq.drop_messages=on''. Locks the table.';

-- pgmq.create clones these templates. They refuse rows, so that a query without
-- its queue's name fails. LIKE does not copy CHECK constraints to the queues.
--
-- Reads are HOT updates: no index contains a column that a read changes, and half
-- of each page stays free for the new row versions. Autovacuum starts after some
-- thousand dead rows, however long the queue is; its default waits for a fifth of
-- the table. Inserts alone leave no dead rows.
-- This project's extension brings the templates, which hold no rows.
DROP TABLE IF EXISTS pgmq.template_queue, pgmq.template_archive;
CREATE TABLE pgmq.template_queue (
    msg_id       bigint      GENERATED ALWAYS AS IDENTITY NOT NULL,
    read_ct      integer     DEFAULT 0 NOT NULL,
    enqueued_at  timestamptz DEFAULT now() NOT NULL,
    last_read_at timestamptz,
    vt           timestamptz NOT NULL,
    message      jsonb,
    headers      jsonb,
    CONSTRAINT template_refuses_rows CHECK (false) NO INHERIT
) WITH (
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_insert_threshold = -1,
    fillfactor = 50
);
COMMENT ON TABLE pgmq.template_queue IS 'A message of a queue. Every queue is a copy of this table.';
COMMENT ON COLUMN pgmq.template_queue.msg_id IS 'Unique and rising within a queue; gaps are possible.';
COMMENT ON COLUMN pgmq.template_queue.read_ct IS 'Number of reads. With last_read_at it is the receipt of the latest read.';
COMMENT ON COLUMN pgmq.template_queue.enqueued_at IS 'Start of the transaction that sent the message.';
COMMENT ON COLUMN pgmq.template_queue.last_read_at IS 'Time of the latest read; NULL before the first.';
COMMENT ON COLUMN pgmq.template_queue.vt IS 'Readers do not see the message before this time.';
COMMENT ON COLUMN pgmq.template_queue.message IS 'The body; NULL is allowed.';
COMMENT ON COLUMN pgmq.template_queue.headers IS 'Metadata of the message; NULL for none.';

-- The primary key comes after the index on groups. While a table is almost empty,
-- all plans cost the same, and the planner takes the index that was made last.
CREATE INDEX template_queue_group_idx
    ON pgmq.template_queue ((coalesce(headers ->> 'x-pgmq-group', '_default_fifo_group') COLLATE "C"), msg_id);
ALTER TABLE pgmq.template_queue ADD PRIMARY KEY (msg_id);

CREATE TABLE pgmq.template_archive (
    msg_id       bigint      PRIMARY KEY,
    read_ct      integer     DEFAULT 0 NOT NULL,
    enqueued_at  timestamptz DEFAULT now() NOT NULL,
    last_read_at timestamptz,
    archived_at  timestamptz DEFAULT now() NOT NULL,
    vt           timestamptz NOT NULL,
    message      jsonb,
    headers      jsonb,
    CONSTRAINT template_refuses_rows CHECK (false) NO INHERIT
);
COMMENT ON TABLE pgmq.template_archive IS 'An archived message. Every archive is a copy of this table.';

-- +goose Down
-- Refuses to drop queues and archives that hold messages.
-- +goose StatementBegin
DO $$
DECLARE
    queue record;
    name  text;
BEGIN
    FOR queue IN SELECT queue_name FROM pgmq.meta ORDER BY queue_name LOOP
        FOREACH name IN ARRAY ARRAY[lower('q_' || queue.queue_name), lower('a_' || queue.queue_name)] LOOP
            CONTINUE WHEN NOT EXISTS (
                SELECT FROM pg_catalog.pg_class
                WHERE oid = to_regclass(format('pgmq.%I', name)) AND relkind IN ('r', 'p') AND NOT relispartition
            );
            PERFORM pgmq._refuse_to_lose(format('pgmq.%I', name)::regclass, 'messages', 'Empty or drop the queue first');
            EXECUTE format('DROP TABLE pgmq.%I', name);
        END LOOP;
    END LOOP;
END $$;
-- +goose StatementEnd
DROP TABLE pgmq.template_archive;
DROP TABLE pgmq.template_queue;
DROP TYPE pgmq.metrics_result;
DROP TYPE pgmq.queue_record;
DROP TYPE pgmq.message_record;
DROP FUNCTION pgmq._refuse_to_lose(regclass, text, text);
DROP FUNCTION pgmq._set_replica_identity(regclass);
DROP TABLE pgmq.meta;
-- Objects of users in the schema keep it, so the queues stay as well.
-- +goose StatementBegin
DO $$
DECLARE
    others CONSTANT text := (
        SELECT string_agg(pg_describe_object(classid, objid, 0), ', ' ORDER BY objid)
        FROM pg_catalog.pg_depend
        WHERE refclassid = 'pg_catalog.pg_namespace'::regclass AND refobjid = 'pgmq'::regnamespace AND deptype = 'n'
            AND NOT (classid = 'pg_catalog.pg_proc'::regclass AND objid IN (
                SELECT oid FROM pg_catalog.pg_proc WHERE proname = '_drop_outdated' OR starts_with(proname, '_adopt_')
            ))
    );
BEGIN
    IF others IS NOT NULL THEN
        RAISE EXCEPTION 'schema pgmq also contains %', others
            USING ERRCODE = 'dependent_objects_still_exist', HINT = 'Move or drop it first.';
    END IF;
END $$;
-- +goose StatementEnd

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

-- pgmq.create clones these templates. They refuse rows, so that a query without
-- its queue's name fails. LIKE does not copy CHECK constraints to the queues.
--
-- Reads are HOT updates: no index contains a column that a read changes, and half
-- of each page stays free for the new row versions. Autovacuum starts after some
-- thousand dead rows, however long the queue is; its default waits for a fifth of
-- the table. Inserts alone leave no dead rows.
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
-- Refuses to drop queues and archives that hold messages, unless the session sets
-- pgmq.drop_messages to on, for example by PGOPTIONS='-c pgmq.drop_messages=on'.
-- +goose StatementBegin
DO $$
DECLARE
    forced boolean := coalesce(current_setting('pgmq.drop_messages', true), '') IN ('on', 'true', '1', 'yes');
    queue  record;
    name   text;
    full_  boolean;
BEGIN
    FOR queue IN SELECT queue_name FROM pgmq.meta ORDER BY queue_name LOOP
        FOREACH name IN ARRAY ARRAY[lower('q_' || queue.queue_name), lower('a_' || queue.queue_name)] LOOP
            CONTINUE WHEN to_regclass(format('pgmq.%I', name)) IS NULL;
            EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', name);
            EXECUTE format('SELECT EXISTS (SELECT FROM pgmq.%I)', name) INTO full_;
            IF full_ AND NOT forced THEN
                RAISE EXCEPTION 'pgmq.% still holds messages', quote_ident(name)
                    USING ERRCODE = 'object_not_in_prerequisite_state',
                          HINT = 'Drop or empty the queue first, or set pgmq.drop_messages to on for this session.';
            END IF;
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

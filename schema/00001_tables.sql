-- What Postgres stores: the catalogue of queues, PGMQ's composite types, and
-- the two tables that every queue is a copy of.
--
-- IF NOT EXISTS, because PGMQ may have been here before us: its schema, its
-- catalogue and its queues are kept as they are.

-- +goose Up
-- When it came as an extension, its objects become ordinary ones, with all that
-- is in them. The empty extension stays: clients that ask for it still find it.
-- +goose StatementBegin
DO $$
DECLARE
    member record;
    old    text;
BEGIN
    FOR member IN
        SELECT o.type, o.identity
        FROM pg_catalog.pg_extension AS e
        JOIN pg_catalog.pg_depend AS d
            ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e',
        pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) AS o
        WHERE e.extname = 'pgmq'
    LOOP
        EXECUTE format('ALTER EXTENSION pgmq DROP %s %s', member.type, member.identity);
    END LOOP;
    -- Ours brings these two, which hold nothing.
    DROP TABLE IF EXISTS pgmq.template_queue, pgmq.template_archive;

    -- A later migration adds columns, and needs each queue for itself for that
    -- moment. Until then PGMQ's functions stay, but calls that wait for that
    -- migration must not get new columns by a star, and polls that find nothing
    -- must let go of the table: an exception undoes its lock.
    FOR old IN
        SELECT CASE WHEN p.proname ~ '_with_poll$' THEN
            format(
                'CREATE OR REPLACE FUNCTION pgmq.%I(%s) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS %L',
                p.proname, pg_get_function_arguments(p.oid), format(
                    'DECLARE
                        stop_at CONSTANT timestamptz := clock_timestamp() + make_interval(secs => $4);
                    BEGIN
                        WHILE clock_timestamp() < stop_at LOOP
                            BEGIN
                                RETURN QUERY SELECT %s FROM pgmq.%I($1, $2, $3 %s) AS message_record;
                                IF FOUND THEN
                                    RETURN;
                                END IF;
                                RAISE no_data_found;
                            EXCEPTION WHEN no_data_found THEN
                                PERFORM pg_sleep($5 / 1000.0);
                            END;
                        END LOOP;
                    END',
                    record_.columns, replace(p.proname, '_with_poll', ''), CASE p.pronargs WHEN 6 THEN ', $6' END
                )
            )
        ELSE
            regexp_replace(pg_get_functiondef(p.oid), 'RETURNING\s+\*', 'RETURNING ' || record_.columns, 'gi')
        END
        FROM pg_catalog.pg_proc AS p, LATERAL (
            SELECT string_agg(CASE WHEN p.proname ~ '_with_poll$' THEN 'message_record.' ELSE '' END || quote_ident(attname), ', ' ORDER BY attnum) AS columns
            FROM pg_catalog.pg_attribute
            WHERE attrelid = to_regclass('pgmq.message_record') AND attnum > 0 AND NOT attisdropped
        ) AS record_
        WHERE p.pronamespace = to_regnamespace('pgmq') AND p.prorettype = to_regtype('pgmq.message_record')
            AND (p.prosrc ~* 'RETURNING\s+\*' OR p.proname ~ '^read.*_with_poll$')
    LOOP
        EXECUTE old;
    END LOOP;
END $$;
-- +goose StatementEnd

CREATE SCHEMA IF NOT EXISTS pgmq;

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

-- The templates are defined here and nowhere else; pgmq.create clones them.
-- Their own rows are refused, so that a query which forgot its queue fails
-- loudly. LIKE copies no CHECK constraint unless asked, so queues are free.
--
-- No index names a column that a read changes, and pages keep room: a read can
-- then write its new row version beside the old one (a HOT update).
CREATE TABLE pgmq.template_queue (
    msg_id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    read_ct      integer     DEFAULT 0 NOT NULL,
    enqueued_at  timestamptz DEFAULT now() NOT NULL,
    last_read_at timestamptz,
    vt           timestamptz NOT NULL,
    message      jsonb,
    headers      jsonb,
    CONSTRAINT template_refuses_rows CHECK (false) NO INHERIT
) WITH (fillfactor = 60);
COMMENT ON TABLE pgmq.template_queue IS 'A message of a queue. Every queue is a copy of this table.';
COMMENT ON COLUMN pgmq.template_queue.msg_id IS 'Unique and rising within a queue, but not without gaps.';
COMMENT ON COLUMN pgmq.template_queue.read_ct IS 'Reads so far; with last_read_at the receipt of the latest one.';
COMMENT ON COLUMN pgmq.template_queue.enqueued_at IS 'Start of the transaction that sent the message.';
COMMENT ON COLUMN pgmq.template_queue.last_read_at IS 'Time of the latest read; NULL before the first.';
COMMENT ON COLUMN pgmq.template_queue.vt IS 'Hidden from readers until then.';
COMMENT ON COLUMN pgmq.template_queue.message IS 'The body; NULL is allowed.';
COMMENT ON COLUMN pgmq.template_queue.headers IS 'What travels beside the body; NULL for none.';

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
COMMENT ON TABLE pgmq.template_archive IS 'A message that was archived. Every archive is a copy of this table.';

-- +goose Down
-- Queues go only when nothing is in them, unless the session says otherwise:
--   SET pgmq.drop_messages = on        (PGOPTIONS='-c pgmq.drop_messages=on')
-- +goose StatementBegin
DO $$
DECLARE
    told  boolean := coalesce(current_setting('pgmq.drop_messages', true), '') IN ('on', 'true', '1', 'yes');
    queue record;
    name  text;
    full_ boolean;
BEGIN
    FOR queue IN SELECT queue_name FROM pgmq.meta ORDER BY queue_name LOOP
        FOREACH name IN ARRAY ARRAY[lower('q_' || queue.queue_name), lower('a_' || queue.queue_name)] LOOP
            CONTINUE WHEN to_regclass(format('pgmq.%I', name)) IS NULL;
            EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', name);
            EXECUTE format('SELECT EXISTS (SELECT FROM pgmq.%I)', name) INTO full_;
            IF full_ AND NOT told THEN
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
DROP SCHEMA pgmq;

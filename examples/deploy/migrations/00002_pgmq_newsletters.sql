-- Written by pgmq queue migration:
--   queue "newsletters": new
-- The queues after this migration, for the next pgmq generate:
-- pgmq:queue {"name":"newsletters"}

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    IF to_regproc('pgmq.create') IS NULL THEN
        RAISE EXCEPTION 'schema pgmq is not in this database yet: run "pgmq migrate up" first'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$;
-- +goose StatementEnd

SELECT pgmq.create('newsletters');

-- +goose Down
-- Fails while a queue or its archive holds messages, unless the session allows to
-- drop them: PGOPTIONS='-c pgmq.drop_messages=on'.
-- +goose StatementBegin
DO $$
DECLARE
    allowed CONSTANT boolean := coalesce(current_setting('pgmq.drop_messages', true), '') IN ('on', 'true', '1', 'yes');
    queue text;
    part  text;
    held  boolean;
BEGIN
    FOREACH queue IN ARRAY ARRAY['newsletters'] LOOP
        PERFORM pgmq.acquire_queue_lock(queue);
        FOREACH part IN ARRAY ARRAY[pgmq.format_table_name(queue, 'q'), pgmq.format_table_name(queue, 'a')] LOOP
            CONTINUE WHEN allowed OR to_regclass(format('pgmq.%I', part)) IS NULL;
            EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', part);
            EXECUTE format('SELECT EXISTS (SELECT FROM pgmq.%I)', part) INTO held;
            IF held THEN
                RAISE EXCEPTION 'pgmq.% still holds messages: empty it, or set pgmq.drop_messages to on for this session', quote_ident(part)
                    USING ERRCODE = 'object_not_in_prerequisite_state';
            END IF;
        END LOOP;
        PERFORM pgmq.drop_queue(queue);
    END LOOP;
END $$;
-- +goose StatementEnd

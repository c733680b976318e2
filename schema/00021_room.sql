-- Half of a page is left free, so that a claim can write the new versions of its
-- rows beside the old ones, and changes no index.

-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE pgmq.template_queue SET (fillfactor = 50);

-- One transaction for each queue, so that no lock is held for the next one.
-- +goose StatementBegin
DO $$
DECLARE
    queue text;
BEGIN
    FOR queue IN SELECT queue_name FROM pgmq.meta ORDER BY queue_name LOOP
        IF pgmq._renew_storage(queue) THEN
            COMMIT;
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
-- The settings of queues stay.
ALTER TABLE pgmq.template_queue SET (fillfactor = 60);

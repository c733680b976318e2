-- Sending to topics: a copy to each queue that is bound to a matching pattern.

-- +goose Up
SELECT pgmq._retire('{send_topic, send_batch_topic}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._topic_queues(routing_key text)
RETURNS SETOF text
LANGUAGE sql STABLE
AS $$
    SELECT DISTINCT queue_name FROM pgmq.test_routing($1) ORDER BY 1;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._topic_queues IS 'The queues that get what is sent to a routing key, by name: one order for all senders.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, headers jsonb, delay integer)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    copies integer;
BEGIN
    IF $2 IS NULL THEN
        RAISE EXCEPTION 'msg cannot be NULL';
    ELSIF $4 < 0 THEN
        RAISE EXCEPTION 'delay cannot be negative, got: %', $4;
    END IF;
    SELECT count(*)
    INTO copies
    FROM pgmq._topic_queues($1) AS queue, pgmq.send(queue, $2, $3, $4);
    RETURN copies;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_topic(text, jsonb, jsonb, integer) IS
    'Sends a copy with headers to each queue that is bound to a matching pattern, visible after delay seconds, and returns how many. 0 is no error: nobody wanted it.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb)
RETURNS integer
LANGUAGE sql
AS $$
    SELECT pgmq.send_topic($1, $2, NULL, 0);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_topic(text, jsonb) IS 'Sends a copy to each queue that is bound to a matching pattern, and returns how many.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, headers jsonb)
RETURNS integer
LANGUAGE sql
AS $$
    SELECT pgmq.send_topic($1, $2, $3, 0);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_topic(text, jsonb, jsonb) IS 'Sends a copy with headers to each queue that is bound to a matching pattern, and returns how many.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, delay integer)
RETURNS integer
LANGUAGE sql
AS $$
    SELECT pgmq.send_topic($1, $2, NULL, $3);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_topic(text, jsonb, integer) IS 'Sends a copy to each queue that is bound to a matching pattern, visible after delay seconds, and returns how many.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay timestamptz)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue text;
BEGIN
    PERFORM pgmq._validate_batch_params($2, $3);
    FOR queue IN SELECT pgmq._topic_queues($1) LOOP
        RETURN QUERY SELECT queue, id FROM pgmq._send_batch(queue, $2, $3, $4) AS id;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[], timestamptz) IS
    'Sends copies of all messages, each with its own headers, to each queue that is bound to a matching pattern, visible from a time on. Returns the ids queue by queue, in the order of msgs.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[])
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, NULL, pg_catalog.clock_timestamp());
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[]) IS 'Sends copies of all messages to each queue that is bound to a matching pattern, and returns their ids.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[])
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, $3, pg_catalog.clock_timestamp());
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[]) IS 'Sends copies of all messages, each with its own headers, to each queue that is bound to a matching pattern, and returns their ids.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], delay integer)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, NULL, pgmq._in_seconds($3));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], integer) IS 'Sends copies of all messages to each queue that is bound to a matching pattern, visible after delay seconds, and returns their ids.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], delay timestamptz)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, NULL, $3);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], timestamptz) IS 'Sends copies of all messages to each queue that is bound to a matching pattern, visible from a time on, and returns their ids.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay integer)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, $3, pgmq._in_seconds($4));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[], integer) IS 'Sends copies of all messages, each with its own headers, to each queue that is bound to a matching pattern, visible after delay seconds, and returns their ids.';

-- +goose Down
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[], integer);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], timestamptz);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], integer);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[]);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[]);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[], timestamptz);
DROP FUNCTION pgmq.send_topic(text, jsonb, integer);
DROP FUNCTION pgmq.send_topic(text, jsonb, jsonb);
DROP FUNCTION pgmq.send_topic(text, jsonb);
DROP FUNCTION pgmq.send_topic(text, jsonb, jsonb, integer);
DROP FUNCTION pgmq._topic_queues(text);

-- Sending: send and send_batch, by PGMQ's names.

-- +goose Up
SELECT pgmq._drop_outdated('{send, send_batch, _send_batch, _validate_batch_params}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    woken   boolean;
BEGIN
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message, headers) VALUES ($1, $2, $3) RETURNING msg_id',
        q_table
    ) USING $4, $2, $3;
    IF NOT FOUND THEN
        PERFORM pgmq._all_stored(q_table, 0, 1);
    END IF;
    -- For a delayed message, too: a consumer must know when it becomes visible.
    woken := pgmq._notify_consumers(q_table);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send(text, jsonb, jsonb, timestamptz) IS
    'Adds a message with headers, visible from a time on, and returns its id.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb)
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send($1, $2, NULL, pg_catalog.clock_timestamp());
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send(text, jsonb) IS 'Adds a message and returns its id.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb)
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send($1, $2, $3, pg_catalog.clock_timestamp());
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send(text, jsonb, jsonb) IS 'Adds a message with headers and returns its id.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, delay integer)
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send($1, $2, NULL, pgmq._seconds_from_now($3));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send(text, jsonb, integer) IS
    'Adds a message that becomes visible after delay seconds, and returns its id.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, delay timestamptz)
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send($1, $2, NULL, $3);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send(text, jsonb, timestamptz) IS
    'Adds a message that becomes visible at a time, and returns its id.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer)
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send($1, $2, $3, pgmq._seconds_from_now($4));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send(text, jsonb, jsonb, integer) IS
    'Adds a message with headers that becomes visible after delay seconds, and returns its id.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._validate_batch_params(msgs jsonb[], headers jsonb[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF $1 IS NULL OR cardinality($1) = 0 THEN
        RAISE EXCEPTION 'msgs cannot be NULL or empty';
    END IF;
    IF cardinality($2) <> cardinality($1) THEN
        RAISE EXCEPTION 'headers array length (%) must match msgs array length (%)', cardinality($2), cardinality($1);
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._validate_batch_params IS 'Raises an exception for a batch without messages, or with a different number of headers.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    sent    bigint;
    woken   boolean;
BEGIN
    -- ORDER BY: the ids are in the order of the array.
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message, headers)
        SELECT $1, body.message, body.headers
        FROM ROWS FROM (unnest($2), unnest($3)) WITH ORDINALITY AS body (message, headers, ord)
        ORDER BY body.ord
        RETURNING msg_id',
        q_table
    ) USING $4, $2, $3;
    GET DIAGNOSTICS sent = ROW_COUNT;
    IF sent <> cardinality($2) THEN
        PERFORM pgmq._all_stored(q_table, sent, cardinality($2));
    END IF;
    woken := pgmq._notify_consumers(q_table);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._send_batch IS 'pgmq.send_batch for validated arguments.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgmq._validate_batch_params($2, $3);
    RETURN QUERY SELECT * FROM pgmq._send_batch($1, $2, $3, $4);
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch(text, jsonb[], jsonb[], timestamptz) IS
    'Adds messages, each with its own headers, visible from a time on; all or none. Returns their ids in the order of msgs.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[])
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch($1, $2, NULL, pg_catalog.clock_timestamp());
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch(text, jsonb[]) IS
    'Adds messages, all or none, and returns their ids in the order of msgs.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[])
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch($1, $2, $3, pg_catalog.clock_timestamp());
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch(text, jsonb[], jsonb[]) IS
    'Adds messages, each with its own headers; all or none. Returns their ids in the order of msgs.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay integer)
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch($1, $2, NULL, pgmq._seconds_from_now($3));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch(text, jsonb[], integer) IS
    'Adds messages that become visible after delay seconds; all or none. Returns their ids in the order of msgs.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], delay timestamptz)
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch($1, $2, NULL, $3);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch(text, jsonb[], timestamptz) IS
    'Adds messages that become visible at a time; all or none. Returns their ids in the order of msgs.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer)
RETURNS SETOF bigint
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch($1, $2, $3, pgmq._seconds_from_now($4));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch(text, jsonb[], jsonb[], integer) IS
    'Adds messages, each with its own headers, that become visible after delay seconds; all or none. Returns their ids in the order of msgs.';

-- +goose Down
DROP FUNCTION pgmq.send_batch(text, jsonb[], jsonb[], integer);
DROP FUNCTION pgmq.send_batch(text, jsonb[], timestamptz);
DROP FUNCTION pgmq.send_batch(text, jsonb[], integer);
DROP FUNCTION pgmq.send_batch(text, jsonb[], jsonb[]);
DROP FUNCTION pgmq.send_batch(text, jsonb[]);
DROP FUNCTION pgmq.send_batch(text, jsonb[], jsonb[], timestamptz);
DROP FUNCTION pgmq._send_batch(text, jsonb[], jsonb[], timestamptz);
DROP FUNCTION pgmq._validate_batch_params(jsonb[], jsonb[]);
DROP FUNCTION pgmq.send(text, jsonb, jsonb, integer);
DROP FUNCTION pgmq.send(text, jsonb, timestamptz);
DROP FUNCTION pgmq.send(text, jsonb, integer);
DROP FUNCTION pgmq.send(text, jsonb, jsonb);
DROP FUNCTION pgmq.send(text, jsonb);
DROP FUNCTION pgmq.send(text, jsonb, jsonb, timestamptz);

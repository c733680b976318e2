-- A sent message wakes whoever waits for one: consumers listen to "pgmq.wake".
--
-- A NOTIFY takes a lock that all of the server's transactions share, and holds it
-- while it commits. So a sender asks first whether anybody waits: who does holds
-- a lock, and while nobody does a send costs what it did before. Who begins to
-- wait takes the lock, and then looks at which transactions are still running: one
-- of them may have sent, and asked too early. Therefore a sender asks only when it
-- has an id of its own, which is after its INSERT.

-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._wait_key(queue_table text)
RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
    SELECT pg_catalog.hashtextextended('pgmq.wait.' OPERATOR(pg_catalog.||) $1, 0);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._wait_key IS
    'The advisory lock of a queue''s table, such as q_orders, that those who wait for a message share, on the connection that listens.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._wake(
    queue_table text,
    alone boolean DEFAULT pg_catalog.now() OPERATOR(pg_catalog.=) pg_catalog.statement_timestamp()
)
RETURNS boolean
LANGUAGE sql
AS $$
    -- One expression, so that it becomes a part of the statement that calls it.
    SELECT CASE
        -- Nobody waits.
        WHEN pg_catalog.pg_try_advisory_lock(pgmq._wait_key($1))
            THEN NOT pg_catalog.pg_advisory_unlock(pgmq._wait_key($1))
        -- One at a time announces: the others would wait for its commit. It commits
        -- in a moment, and whoever it wakes sees or waits for what they sent.
        WHEN $2 AND NOT pg_catalog.pg_try_advisory_xact_lock(
            pg_catalog.hashtextextended('pgmq.wake.' OPERATOR(pg_catalog.||) $1, 0)
        )
            THEN false
        ELSE pg_catalog.pg_notify('pgmq.wake', $1) IS NOT NULL
    END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._wake IS
    'Tells those who wait for a message of a queue''s table, such as q_orders, that there is one: a notification on pgmq.wake with that name, at commit. True when it will be sent; false when nobody waits, or when another transaction of one statement is about to tell. Only a statement that is a transaction alone may say that it is: others rely on its commit. By default it is when it was sent as text, without parameters.';

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
    -- A delayed one, too: who waits must know how long.
    woken := pgmq._wake(q_table);
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    woken   boolean;
BEGIN
    -- Ordered: ids are drawn in the order of the array.
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message, headers)
        SELECT $1, body.message, body.headers
        FROM ROWS FROM (unnest($2), unnest($3)) WITH ORDINALITY AS body (message, headers, ord)
        ORDER BY body.ord
        RETURNING msg_id',
        q_table
    ) USING $4, $2, $3;
    woken := pgmq._wake(q_table);
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    q_table CONSTANT text := pgmq.format_table_name($1, 'q');
    woken   boolean;
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH hidden AS (
            UPDATE pgmq.%I
            SET vt = $2
            WHERE msg_id = ANY ($1)
            RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
        )
        SELECT * FROM hidden ORDER BY msg_id',
        q_table
    ) USING $2, $3;
    -- Given back, not kept for longer.
    IF FOUND AND $3 <= clock_timestamp() THEN
        woken := pgmq._wake(q_table);
    END IF;
END;
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message, headers) VALUES ($1, $2, $3) RETURNING msg_id',
        pgmq.format_table_name($1, 'q')
    ) USING $4, $2, $3;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Ordered: ids are drawn in the order of the array.
    RETURN QUERY EXECUTE format(
        'INSERT INTO pgmq.%I (vt, message, headers)
        SELECT $1, body.message, body.headers
        FROM ROWS FROM (unnest($2), unnest($3)) WITH ORDINALITY AS body (message, headers, ord)
        ORDER BY body.ord
        RETURNING msg_id',
        pgmq.format_table_name($1, 'q')
    ) USING $4, $2, $3;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz)
RETURNS SETOF pgmq.message_record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH hidden AS (
            UPDATE pgmq.%I
            SET vt = $2
            WHERE msg_id = ANY ($1)
            RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
        )
        SELECT * FROM hidden ORDER BY msg_id',
        pgmq.format_table_name($1, 'q')
    ) USING $2, $3;
END;
$$;
-- +goose StatementEnd

DROP FUNCTION pgmq._wake(text, boolean);
DROP FUNCTION pgmq._wait_key(text);

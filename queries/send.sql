-- name: Send :one
-- Send adds one message and returns its id; no row when a trigger left it out. It
-- is visible at the given time, or else after the delay. Alone says that this
-- statement is a transaction of its own: see pgmq._notify_consumers.
WITH sent AS (
    INSERT INTO pgmq.template_queue (vt, message, headers)
    VALUES (
        coalesce(sqlc.narg('visible_at')::timestamptz, statement_timestamp() + sqlc.arg('delay')::interval),
        sqlc.arg('message')::jsonb,
        sqlc.arg('headers')::jsonb
    )
    RETURNING msg_id
)
SELECT msg_id
FROM sent
-- Asked of the row that there is, which is after the INSERT.
WHERE pgmq._notify_consumers((parse_ident('pgmq.template_queue'))[2], sqlc.arg('alone')::boolean) IS NOT NULL;

-- name: SendBatch :one
-- SendBatch adds any number of messages in one statement, all or none. Ids are
-- drawn in the order of the array. It returns them in any order, each with its
-- input: the place in the array, from 1. Alone is as in Send.
--
-- RETURNING sees nothing but the row. So each input leaves its place in the setting
-- pgmq.input, and then its row is stored and returned, before the next input.
WITH sent AS (
    INSERT INTO pgmq.template_queue (vt, message, headers)
    SELECT
        CASE WHEN set_config('pgmq.input', body.input::text, true) IS NOT NULL
            THEN coalesce(sqlc.narg('visible_at')::timestamptz, statement_timestamp() + sqlc.arg('delay')::interval)
        END,
        body.message,
        sqlc.arg('headers')::jsonb
    FROM ROWS FROM (unnest(sqlc.arg('messages')::jsonb[])) WITH ORDINALITY AS body (message, input)
    ORDER BY body.input
    RETURNING msg_id, current_setting('pgmq.input')::integer AS input
)
SELECT
    array_agg(input)::integer[] AS inputs,
    array_agg(msg_id)::bigint[] AS msg_ids
FROM sent
-- Asked of the whole, which is after the INSERT.
HAVING pgmq._all_stored(
        (parse_ident('pgmq.template_queue'))[2], count(*), cardinality(sqlc.arg('messages')::jsonb[]), array_agg(input)
    )
    AND pgmq._notify_consumers((parse_ident('pgmq.template_queue'))[2], sqlc.arg('alone')::boolean) IS NOT NULL;

-- name: SendMany :one
-- SendMany adds the messages of several callers in one statement, each with its
-- own headers and its own time or delay, in seconds; the JSON null is no headers and
-- the year 1 no time: with array_nulls off an array as text has no NULL. It returns
-- which inputs are in, as SendBatch does; unless the whole is asked for, a trigger may
-- leave some out. The statement waits for a lock no longer than the timeout; NULL is
-- the session's own.
WITH sent AS (
    INSERT INTO pgmq.template_queue (vt, message, headers)
    SELECT
        CASE WHEN set_config('pgmq.input', body.input::text, true) IS NOT NULL
            AND (SELECT set_config('lock_timeout', coalesce(sqlc.narg('lock_timeout')::text, current_setting('lock_timeout')), true)) IS NOT NULL
            THEN coalesce(nullif(body.visible_at, '0001-01-01 00:00:00+00'), statement_timestamp() + body.delay * interval '1 second')
        END,
        body.message,
        nullif(body.headers, 'null')
    FROM ROWS FROM (
        unnest(sqlc.arg('messages')::jsonb[]),
        unnest(sqlc.arg('headers')::jsonb[]),
        unnest(sqlc.arg('visible_ats')::timestamptz[]),
        unnest(sqlc.arg('delays')::double precision[])
    ) WITH ORDINALITY AS body (message, headers, visible_at, delay, input)
    ORDER BY body.input
    RETURNING msg_id, current_setting('pgmq.input')::integer AS input
)
SELECT
    coalesce(array_agg(input), '{}')::integer[] AS inputs,
    coalesce(array_agg(msg_id), '{}')::bigint[] AS msg_ids
FROM sent
HAVING (
        NOT sqlc.arg('whole')::boolean
        OR pgmq._all_stored(
            (parse_ident('pgmq.template_queue'))[2], count(*), cardinality(sqlc.arg('messages')::jsonb[]), array_agg(input)
        )
    )
    AND (
        count(*) = 0
        OR pgmq._notify_consumers((parse_ident('pgmq.template_queue'))[2], sqlc.arg('alone')::boolean) IS NOT NULL
    );

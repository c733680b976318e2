-- name: Send :one
-- Send adds one message and returns its id. It is visible at the given time,
-- or else after the delay. Alone says that this statement is a transaction of
-- its own: see pgmq._notify_consumers.
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

-- name: SendBatch :many
-- SendBatch adds any number of messages in one statement, all or none. Ids are
-- drawn, and returned, in the order of the array. Alone is as in Send.
WITH sent AS (
    INSERT INTO pgmq.template_queue (vt, message, headers)
    SELECT
        coalesce(sqlc.narg('visible_at')::timestamptz, statement_timestamp() + sqlc.arg('delay')::interval),
        body.message,
        sqlc.arg('headers')::jsonb
    FROM ROWS FROM (unnest(sqlc.arg('messages')::jsonb[])) WITH ORDINALITY AS body (message, ord)
    ORDER BY body.ord
    RETURNING msg_id
)
-- A sub-select of the result, not of a condition: it is asked once, when the
-- first message is in. As a condition it would be asked before.
SELECT (CASE
    WHEN (SELECT pgmq._notify_consumers((parse_ident('pgmq.template_queue'))[2], sqlc.arg('alone')::boolean)) IS NOT NULL
        THEN msg_id
END)::bigint AS msg_id
FROM sent;

-- name: SendMany :many
-- SendMany adds the messages of several callers in one statement, each with its
-- own headers and its own time or delay, in seconds; the JSON null is no headers and
-- the year 1 no time: with array_nulls off an array as text has no NULL. Ids are
-- drawn, and returned, in the order of the arrays. Alone is as in Send.
WITH sent AS (
    INSERT INTO pgmq.template_queue (vt, message, headers)
    SELECT
        coalesce(nullif(body.visible_at, '0001-01-01 00:00:00+00'), statement_timestamp() + body.delay * interval '1 second'),
        body.message,
        nullif(body.headers, 'null')
    FROM ROWS FROM (
        unnest(sqlc.arg('messages')::jsonb[]),
        unnest(sqlc.arg('headers')::jsonb[]),
        unnest(sqlc.arg('visible_ats')::timestamptz[]),
        unnest(sqlc.arg('delays')::double precision[])
    ) WITH ORDINALITY AS body (message, headers, visible_at, delay, ord)
    ORDER BY body.ord
    RETURNING msg_id
)
SELECT (CASE
    WHEN (SELECT pgmq._notify_consumers((parse_ident('pgmq.template_queue'))[2], sqlc.arg('alone')::boolean)) IS NOT NULL
        THEN msg_id
END)::bigint AS msg_id
FROM sent;

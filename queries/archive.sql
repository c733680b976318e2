-- name: Archived :many
-- Archived returns up to n archived messages between two ids, by id: those that
-- were archived since and before these times, where NULL is no condition. It goes
-- by the index on ids alone, whatever the planner thinks of the times: coalesce
-- hides them from it. Apart and stored are as in Read.
SELECT
    a.msg_id, a.read_ct, a.enqueued_at, a.last_read_at, a.archived_at, a.vt,
    (CASE WHEN s.stored <= sqlc.arg('apart')::integer THEN a.message END)::jsonb AS message,
    (CASE WHEN s.stored <= sqlc.arg('apart')::integer THEN a.headers END)::jsonb AS headers,
    s.stored::integer AS stored
FROM
    pgmq.template_archive AS a,
    LATERAL (
        SELECT coalesce(pg_column_size(a.message), 0) + coalesce(pg_column_size(a.headers), 0) AS stored
    ) AS s
WHERE a.msg_id BETWEEN sqlc.arg('from_id')::bigint AND sqlc.arg('to_id')::bigint
    AND coalesce(a.archived_at >= sqlc.narg('since')::timestamptz, true)
    AND coalesce(a.archived_at < sqlc.narg('until')::timestamptz, true)
ORDER BY a.msg_id
LIMIT sqlc.arg('n')::integer;

-- name: ArchivedIDs :many
-- ArchivedIDs returns only the ids of what Archived returns.
SELECT msg_id
FROM pgmq.template_archive
WHERE msg_id BETWEEN sqlc.arg('from_id')::bigint AND sqlc.arg('to_id')::bigint
    AND coalesce(archived_at >= sqlc.narg('since')::timestamptz, true)
    AND coalesce(archived_at < sqlc.narg('until')::timestamptz, true)
ORDER BY msg_id
LIMIT sqlc.arg('n')::integer;

-- name: ArchivedSpan :one
-- ArchivedSpan returns the lowest and the highest id of what was archived since
-- and before these times, 0 and -1 for nothing. OFFSET has it go by the index on
-- times: without it the lowest would be looked for among all ids.
SELECT
    coalesce(min(msg_id), 0)::bigint AS lowest,
    coalesce(max(msg_id), -1)::bigint AS highest
FROM (
    SELECT msg_id
    FROM pgmq.template_archive
    WHERE archived_at >= coalesce(sqlc.narg('since')::timestamptz, '-infinity')
        AND archived_at < coalesce(sqlc.narg('until')::timestamptz, 'infinity')
    OFFSET 0
) AS archived;

-- name: Replay :one
-- Replay moves messages from the archive back to the queue, as new ones in the
-- order of their ids, all or none, and tells how many there were. Alone is as in
-- Send.
WITH moved AS (
    DELETE FROM pgmq.template_archive
    WHERE msg_id = ANY (sqlc.arg('msg_ids')::bigint[])
    RETURNING msg_id, message, headers
),
sent AS (
    INSERT INTO pgmq.template_queue (vt, message, headers)
    SELECT statement_timestamp(), message, headers
    FROM moved
    ORDER BY msg_id
    RETURNING msg_id
)
SELECT count(*)::bigint AS replayed
FROM sent
-- Asked of the whole, which is after the INSERT.
HAVING pgmq._all_stored((parse_ident('pgmq.template_queue'))[2], count(*), (SELECT count(*) FROM moved))
    AND (
        count(*) = 0
        OR pgmq._notify_consumers((parse_ident('pgmq.template_queue'))[2], sqlc.arg('alone')::boolean) IS NOT NULL
    );

-- name: PruneArchive :one
-- PruneArchive removes up to n messages that were archived since and before these
-- times, in the order in which they were, and tells how many and the time of the
-- last one. The next step begins there, and so walks past nothing that is dead.
WITH old AS MATERIALIZED (
    SELECT msg_id
    FROM pgmq.template_archive
    WHERE archived_at >= coalesce(sqlc.narg('since')::timestamptz, '-infinity')
        AND archived_at < sqlc.arg('before')::timestamptz
    ORDER BY archived_at
    LIMIT sqlc.arg('n')::integer
),
pruned AS (
    DELETE FROM pgmq.template_archive AS a
    USING old
    WHERE a.msg_id = old.msg_id
    RETURNING a.archived_at
)
SELECT
    count(*)::bigint AS pruned,
    coalesce(max(archived_at), to_timestamp(0))::timestamptz AS last_archived_at
FROM pruned;

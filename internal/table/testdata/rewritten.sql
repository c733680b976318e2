-- name: Announce :exec
SELECT pgmq._wake((parse_ident('"pgmq"."q_a""b"'))[2])

-- name: Archive :many
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at
    FROM ROWS FROM (
        unnest($1::bigint[]),
        unnest($2::integer[]),
        unnest($3::timestamptz[])
    ) AS r (msg_id, read_ct, last_read_at)
),
moved AS (
    DELETE FROM "pgmq"."q_a""b" AS q
    USING receipt AS r
    WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
)
INSERT INTO "pgmq"."a_a""b" (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
FROM moved
RETURNING msg_id

-- name: ArchiveID :many
WITH moved AS (
    DELETE FROM "pgmq"."q_a""b"
    WHERE msg_id = ANY ($1::bigint[])
    RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
)
INSERT INTO "pgmq"."a_a""b" (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
FROM moved
RETURNING msg_id

-- name: Await :exec
SELECT pg_advisory_lock_shared(pgmq._wait_key($1::text))

-- name: Bury :exec
INSERT INTO "pgmq"."a_a""b" (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
VALUES (
    $1::bigint,
    $2::integer,
    $3::timestamptz,
    $4::timestamptz,
    $5::timestamptz,
    $6::jsonb,
    $7::jsonb
)

-- name: Count :one
SELECT
    (SELECT count(*) FROM "pgmq"."q_a""b")::bigint AS queued,
    (SELECT count(*) FROM "pgmq"."a_a""b")::bigint AS archived

-- name: Create :exec
SELECT pgmq.create($1::text)

-- name: CreateUnlogged :exec
SELECT pgmq.create_unlogged($1::text)

-- name: DeadLetter :many
SELECT pgmq._bury(
    $1::text,
    $2::text,
    $3::bigint[],
    $4::integer[],
    $5::timestamptz[],
    $6::jsonb[]
)::bigint AS msg_id

-- name: Delete :many
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at
    FROM ROWS FROM (
        unnest($1::bigint[]),
        unnest($2::integer[]),
        unnest($3::timestamptz[])
    ) AS r (msg_id, read_ct, last_read_at)
)
DELETE FROM "pgmq"."q_a""b" AS q
USING receipt AS r
WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
RETURNING q.msg_id

-- name: DeleteID :many
DELETE FROM "pgmq"."q_a""b"
WHERE msg_id = ANY ($1::bigint[])
RETURNING msg_id

-- name: Drop :one
SELECT pgmq.drop_queue($1::text)::boolean AS dropped

-- name: Existing :many
SELECT msg_id
FROM "pgmq"."q_a""b"
WHERE msg_id = ANY ($1::bigint[])

-- name: Find :one
SELECT
    (parse_ident('"pgmq"."q_a""b"'))[2]::text AS name,
    (to_regclass('"pgmq"."q_a""b"') IS NOT NULL)::boolean AS found

-- name: GiveBack :many
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at
    FROM ROWS FROM (
        unnest($1::bigint[]),
        unnest($2::integer[]),
        unnest($3::timestamptz[])
    ) AS r (msg_id, read_ct, last_read_at)
)
UPDATE "pgmq"."q_a""b" AS q
SET
    vt = statement_timestamp(),
    read_ct = q.read_ct - 1
FROM receipt AS r
WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
RETURNING q.msg_id

-- name: List :many
SELECT queue_name, is_partitioned, is_unlogged, created_at
FROM pgmq.meta
ORDER BY queue_name

-- name: Lock :exec
LOCK TABLE "pgmq"."q_a""b", "pgmq"."a_a""b" IN ACCESS EXCLUSIVE MODE

-- name: Lower :one
SELECT lower($1::text)::text AS name

-- name: Maintain :exec
CALL pgmq.maintain_partitions($1::text)

-- name: Now :one
SELECT statement_timestamp()::timestamptz AS now

-- name: Outlook :one
SELECT
    coalesce(date_part('epoch', min(vt)) - date_part('epoch', statement_timestamp()), 'Infinity')::double precision AS due_in,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_running,
    -- Not the snapshot's xmax, which is the first that has not ended.
    (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + age(pg_snapshot_xmin(pg_current_snapshot())::xid))::bigint AS next_id
FROM "pgmq"."q_a""b"

-- name: Pop :many
WITH next AS MATERIALIZED (
    SELECT msg_id
    FROM "pgmq"."q_a""b"
    WHERE vt <= statement_timestamp()
    ORDER BY msg_id
    LIMIT $1::integer
    FOR UPDATE SKIP LOCKED
)
DELETE FROM "pgmq"."q_a""b" AS q
USING next
WHERE q.msg_id = next.msg_id
RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers

-- name: Postpone :many
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at, statement_timestamp() + r.delay * interval '1 second' AS vt
    FROM ROWS FROM (
        unnest($1::bigint[]),
        unnest($2::integer[]),
        unnest($3::timestamptz[]),
        unnest($4::double precision[])
    ) AS r (msg_id, read_ct, last_read_at, delay)
)
UPDATE "pgmq"."q_a""b" AS q
SET vt = r.vt
FROM receipt AS r
WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
RETURNING q.msg_id

-- name: Purge :one
SELECT pgmq.purge_queue($1::text)::bigint AS purged

-- name: Read :many
WITH next AS MATERIALIZED (
    SELECT msg_id
    FROM "pgmq"."q_a""b"
    WHERE vt <= statement_timestamp()
    ORDER BY msg_id
    LIMIT $2::integer
    FOR UPDATE SKIP LOCKED
)
UPDATE "pgmq"."q_a""b" AS q
SET
    vt = statement_timestamp() + $1::interval,
    read_ct = q.read_ct + 1,
    last_read_at = statement_timestamp()
FROM next
WHERE q.msg_id = next.msg_id
RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers

-- name: Redrive :many
SELECT pgmq._redrive(
    $1::text,
    $2::text,
    $3::integer,
    $4::bigint[],
    $5::jsonb,
    $6::text,
    $7::timestamptz
)::bigint AS msg_id

-- name: Send :one
WITH sent AS (
    INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
    VALUES (
        coalesce($2::timestamptz, statement_timestamp() + $3::interval),
        $4::jsonb,
        $5::jsonb
    )
    RETURNING msg_id
)
SELECT msg_id
FROM sent
WHERE pgmq._wake((parse_ident('"pgmq"."q_a""b"'))[2], $1::boolean) IS NOT NULL

-- name: SendBatch :many
WITH sent AS (
    INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
    SELECT
        coalesce($2::timestamptz, statement_timestamp() + $3::interval),
        body.message,
        $4::jsonb
    FROM ROWS FROM (unnest($5::jsonb[])) WITH ORDINALITY AS body (message, ord)
    ORDER BY body.ord
    RETURNING msg_id
)
SELECT (CASE
    WHEN (SELECT pgmq._wake((parse_ident('"pgmq"."q_a""b"'))[2], $1::boolean)) IS NOT NULL
        THEN msg_id
END)::bigint AS msg_id
FROM sent

-- name: SendMany :many
WITH sent AS (
    INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
    SELECT
        coalesce(nullif(body.visible_at, '0001-01-01 00:00:00+00'), statement_timestamp() + body.delay * interval '1 second'),
        body.message,
        body.headers
    FROM ROWS FROM (
        unnest($2::jsonb[]),
        unnest($3::jsonb[]),
        unnest($4::timestamptz[]),
        unnest($5::double precision[])
    ) WITH ORDINALITY AS body (message, headers, visible_at, delay, ord)
    ORDER BY body.ord
    RETURNING msg_id
)
SELECT (CASE
    WHEN (SELECT pgmq._wake((parse_ident('"pgmq"."q_a""b"'))[2], $1::boolean)) IS NOT NULL
        THEN msg_id
END)::bigint AS msg_id
FROM sent

-- name: SetVT :many
WITH receipt AS (
    SELECT r.msg_id, r.read_ct, r.last_read_at
    FROM ROWS FROM (
        unnest($2::bigint[]),
        unnest($3::integer[]),
        unnest($4::timestamptz[])
    ) AS r (msg_id, read_ct, last_read_at)
)
UPDATE "pgmq"."q_a""b" AS q
SET vt = statement_timestamp() + $1::interval
FROM receipt AS r
WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
RETURNING q.msg_id, q.vt

-- name: SetVTID :many
UPDATE "pgmq"."q_a""b"
SET vt = statement_timestamp() + $1::interval
WHERE msg_id = ANY ($2::bigint[])
RETURNING msg_id

-- name: Stats :one
SELECT
    count(*)::bigint AS length,
    (count(*) FILTER (WHERE vt <= statement_timestamp()))::bigint AS visible,
    coalesce(min(enqueued_at), to_timestamp(0))::timestamptz AS oldest,
    coalesce(max(enqueued_at), to_timestamp(0))::timestamptz AS newest,
    statement_timestamp()::timestamptz AS at
FROM "pgmq"."q_a""b"

-- name: Stored :many
SELECT
    m.queue_name,
    m.is_unlogged,
    coalesce(p.partition_interval, '')::text AS partition_interval,
    coalesce(p.retention_interval, '')::text AS retention_interval,
    coalesce(p.premake, 0)::integer AS premake,
    coalesce(p.drop_unread, false)::boolean AS drop_unread,
    coalesce(n.throttle_interval_ms, -1)::integer AS throttle_interval_ms,
    ARRAY(
        SELECT b.pattern
        FROM pgmq.topic_bindings AS b
        WHERE b.queue_name = m.queue_name
        ORDER BY b.pattern COLLATE "C"
    )::text[] AS topics
FROM pgmq.meta AS m
LEFT JOIN pgmq.partitioned_tables AS p ON p.queue_name = m.queue_name AND p.prefix = 'q'
LEFT JOIN pgmq.notify_insert_throttle AS n ON n.queue_name = m.queue_name
WHERE to_regclass(format('pgmq.%I', pgmq.format_table_name(m.queue_name, 'q'))) IS NOT NULL
    AND to_regclass(format('pgmq.%I', pgmq.format_table_name(m.queue_name, 'a'))) IS NOT NULL
ORDER BY m.queue_name

-- name: Unawait :exec
SELECT pg_advisory_unlock_shared(pgmq._wait_key($1::text))

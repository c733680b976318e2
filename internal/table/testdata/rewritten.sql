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

-- name: Send :one
INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
VALUES (
    coalesce($1::timestamptz, statement_timestamp() + $2::interval),
    $3::jsonb,
    $4::jsonb
)
RETURNING msg_id

-- name: SendBatch :many
INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
SELECT
    coalesce($1::timestamptz, statement_timestamp() + $2::interval),
    body.message,
    $3::jsonb
FROM ROWS FROM (unnest($4::jsonb[])) WITH ORDINALITY AS body (message, ord)
ORDER BY body.ord
RETURNING msg_id

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

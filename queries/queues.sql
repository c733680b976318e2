-- name: Create :exec
-- Create makes a queue and its archive; nothing happens when it exists.
SELECT pgmq.create(sqlc.arg('queue_name')::text);

-- name: CreateUnlogged :exec
-- CreateUnlogged makes a queue that a crash of the server empties.
SELECT pgmq.create_unlogged(sqlc.arg('queue_name')::text);

-- name: Drop :one
-- Drop removes a queue, its archive and all messages; false without such a queue.
SELECT pgmq.drop_queue(sqlc.arg('queue_name')::text)::boolean AS dropped;

-- name: Purge :one
-- Purge removes every message of a queue and returns how many there were.
SELECT pgmq.purge_queue(sqlc.arg('queue_name')::text)::bigint AS purged;

-- name: List :many
-- List returns every queue, by name.
SELECT queue_name, is_partitioned, is_unlogged, created_at
FROM pgmq.meta
ORDER BY queue_name;

-- name: Stats :one
-- Stats counts the messages of a queue. The two times mean nothing when the
-- length is 0.
SELECT
    count(*)::bigint AS length,
    (count(*) FILTER (WHERE vt <= statement_timestamp()))::bigint AS visible,
    coalesce(min(enqueued_at), to_timestamp(0))::timestamptz AS oldest,
    coalesce(max(enqueued_at), to_timestamp(0))::timestamptz AS newest,
    statement_timestamp()::timestamptz AS at
FROM pgmq.template_queue;

-- name: Lower :one
-- Lower folds the capitals of a name as this database does: its locale decides.
SELECT pg_catalog.lower(sqlc.arg('name')::text)::text AS name;

-- name: Lock :exec
-- Lock holds off everybody else from a queue until the transaction ends.
LOCK TABLE pgmq.template_queue, pgmq.template_archive IN ACCESS EXCLUSIVE MODE;

-- name: Count :one
-- Count tells how many messages are in the queue and in its archive.
SELECT
    (SELECT count(*) FROM pgmq.template_queue)::bigint AS queued,
    (SELECT count(*) FROM pgmq.template_archive)::bigint AS archived;

-- name: Maintain :exec
-- Maintain makes and drops partitions; of every queue when the name is NULL.
CALL pgmq.maintain_partitions(sqlc.narg('queue_name')::text);

-- name: Find :one
-- Find tells whether the queue is there, and the name of its table: the payload
-- of a notification on the channel pgmq.wake.
SELECT
    (parse_ident('pgmq.template_queue'))[2]::text AS name,
    (to_regclass('pgmq.template_queue') IS NOT NULL)::boolean AS found;

-- name: Subscribe :exec
-- Subscribe has senders to a queue's table notify, from now until Unsubscribe or
-- the end of the session. It is for the listening connection. A transaction that
-- runs already may have looked before: see Scan.
SELECT pg_advisory_lock_shared(pgmq._subscription_lock_key(sqlc.arg('queue_table')::text));

-- name: Unsubscribe :exec
-- Unsubscribe undoes one Subscribe of this session.
SELECT pg_advisory_unlock_shared(pgmq._subscription_lock_key(sqlc.arg('queue_table')::text));

-- name: Notify :exec
-- Notify wakes one waiting consumer, for messages that were given back.
SELECT pgmq._notify_consumers((parse_ident('pgmq.template_queue'))[2]);

-- name: Now :one
-- Now is the server's clock.
SELECT statement_timestamp()::timestamptz AS now;

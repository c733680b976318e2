-- name: Find :one
-- Find tells whether the queue is there, and the name of its table: the payload
-- of a notification on the channel pgmq.wake.
SELECT
    (parse_ident('pgmq.template_queue'))[2]::text AS name,
    (to_regclass('pgmq.template_queue') IS NOT NULL)::boolean AS found;

-- name: Await :exec
-- Await has senders to a table's queue announce, from now until Unawait or the
-- end of the session. It is for the connection that listens. What runs already
-- may have asked before: see Look.
SELECT pg_advisory_lock_shared(pgmq._subscription_lock_key(sqlc.arg('queue_table')::text));

-- name: Unawait :exec
-- Unawait undoes one Await of this session.
SELECT pg_advisory_unlock_shared(pgmq._subscription_lock_key(sqlc.arg('queue_table')::text));

-- name: Announce :exec
-- Announce wakes one who waits, for messages that were given back.
SELECT pgmq._notify_consumers((parse_ident('pgmq.template_queue'))[2]);

-- name: Now :one
-- Now is the server's clock.
SELECT statement_timestamp()::timestamptz AS now;

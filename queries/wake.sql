-- name: Find :one
-- Find tells whether the queue is there, and the name of its table: the payload
-- of a notification on the channel pgmq.wake.
SELECT
    (parse_ident('pgmq.template_queue'))[2]::text AS name,
    (to_regclass('pgmq.template_queue') IS NOT NULL)::boolean AS found;

-- name: Await :exec
-- Await has senders to a table's queue announce, from now until Unawait or the
-- end of the session. It is for the connection that listens. What runs already
-- may have asked before: see Outlook.
SELECT pg_advisory_lock_shared(pgmq._wait_key(sqlc.arg('queue_table')::text));

-- name: Unawait :exec
-- Unawait undoes one Await of this session.
SELECT pg_advisory_unlock_shared(pgmq._wait_key(sqlc.arg('queue_table')::text));

-- name: Announce :exec
-- Announce wakes one who waits, for messages that were given back.
SELECT pgmq._wake((parse_ident('pgmq.template_queue'))[2]);

-- name: Outlook :one
-- Outlook tells how many seconds it is until the next message is visible: 0 or
-- less when one is, infinity when the queue is empty. Transactions before
-- oldest_running have ended, and what they sent is in it; those from next_id on
-- had not begun to send. Not for use in a transaction that has run before.
SELECT
    coalesce(date_part('epoch', min(vt)) - date_part('epoch', statement_timestamp()), 'Infinity')::double precision AS due_in,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_running,
    -- Not the snapshot's xmax, which is the first that has not ended.
    (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + age(pg_snapshot_xmin(pg_current_snapshot())::xid))::bigint AS next_id
FROM pgmq.template_queue;

-- name: Now :one
-- Now is the server's clock.
SELECT statement_timestamp()::timestamptz AS now;

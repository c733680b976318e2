-- name: Durability :one
-- Durability tells which server this is and what a commit waits for.
SELECT
    split_part(current_setting('server_version'), ' ', 1)::text AS version,
    current_setting('synchronous_commit')::text AS synchronous_commit,
    current_setting('fsync')::text AS fsync;

-- name: NextTransaction :one
-- NextTransaction is the id that the next transaction that writes will have, on
-- the whole server.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS id;

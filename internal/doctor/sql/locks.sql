-- Locks that block senders or readers: granted ones, and waiting ones, behind which
-- all others queue up. Vacuum holds its locks only briefly.
SELECT
    m.queue_name::text AS queue, prefix = 'a' AS archive, format('pgmq.%I', c.relname) AS name, l.mode, coalesce(l.pid, 0) AS pid, l.granted,
    coalesce(a.application_name, '') AS application, coalesce(a.usename, '')::text AS role, coalesce(a.state, '') AS state,
    ''::text AS database, clock_timestamp() - a.xact_start AS open_for
FROM pg_locks AS l
JOIN pg_class AS c ON c.oid = l.relation AND c.relnamespace = 'pgmq'::regnamespace
CROSS JOIN unnest('{q, a}'::text[]) AS prefix
JOIN pgmq.meta AS m ON c.relname = pg_catalog.lower(prefix || '_' || m.queue_name)
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND coalesce(l.pid, 0) NOT IN (SELECT v.pid FROM pg_stat_progress_vacuum AS v)
ORDER BY m.queue_name, a.xact_start

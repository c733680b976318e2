-- Sessions that keep dead rows of this database. A snapshot in this database keeps
-- them. So does a transaction of any database that has written, because every
-- snapshot respects it. Sessions that vacuum do not count.
SELECT
    pid, coalesce(application_name, '') AS application, coalesce(usename, '')::text AS role,
    coalesce(state, '') AS state, CASE WHEN datname <> current_database() THEN datname ELSE '' END::text AS database,
    clock_timestamp() - xact_start AS open_for
FROM pg_stat_activity
WHERE (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL AND datname = current_database())
    AND pid <> pg_backend_pid()
    AND backend_type IS DISTINCT FROM 'autovacuum worker'
    AND pid NOT IN (SELECT v.pid FROM pg_stat_progress_vacuum AS v)
ORDER BY xact_start

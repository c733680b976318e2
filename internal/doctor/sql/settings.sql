-- Settings with a bad value for queues, and the statement that corrects each. The
-- statement depends on where the setting was set.
SELECT
    name,
    CASE source
        WHEN 'database' THEN format('ALTER DATABASE %I RESET %I', current_database(), name)
        WHEN 'user' THEN format('ALTER ROLE %I RESET %I', session_user, name)
        WHEN 'database user' THEN format('ALTER ROLE %I IN DATABASE %I RESET %I', session_user, current_database(), name)
        WHEN 'client' THEN format('take %I out of the DSN or PGOPTIONS', name)
        WHEN 'command line' THEN format('take %I out of the command line that starts the server', name)
        ELSE format('ALTER SYSTEM SET %I = %L; SELECT pg_reload_conf()', name, CASE setting WHEN '0' THEN '5min' ELSE 'on' END)
    END AS do
FROM pg_settings
WHERE setting = 'off' AND name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'autovacuum', 'track_counts')
    OR setting = '0' AND name = 'idle_in_transaction_session_timeout'
ORDER BY name

-- Standbys without a slot. With a slot, the slot keeps the rows.
SELECT pid, coalesce(application_name, '') AS name, age(backend_xmin)::bigint AS behind
FROM pg_stat_replication
WHERE backend_xmin IS NOT NULL
ORDER BY pid

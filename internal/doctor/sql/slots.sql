-- Only xmin keeps dead rows of queues. catalog_xmin keeps those of system catalogs.
SELECT
    slot_name::text AS name, active, age(xmin)::bigint AS rows, age(catalog_xmin)::bigint AS catalog,
    quote_literal(slot_name) AS literal
FROM pg_replication_slots
WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL
ORDER BY slot_name

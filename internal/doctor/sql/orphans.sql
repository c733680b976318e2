-- Tables that look like a queue's and belong to no listed queue. When an archive is
-- partitioned, its older messages stay in a_<queue>_old.
WITH ours AS (
    SELECT pg_catalog.lower(prefix || '_' || queue_name) AS name
    FROM pgmq.meta, unnest('{q, a}'::text[]) AS prefix
)
SELECT
    format('pgmq.%I', c.relname) AS name, substring(c.relname FROM 3)::text AS queue,
    quote_literal(substring(c.relname FROM 3)) AS literal,
    left(c.relname, 1) = 'a' AS archive,
    c.relname LIKE E'a\\_%\\_old' AND EXISTS (
        SELECT FROM ours WHERE name = left(c.relname, -length('_old'))
    ) AS old
FROM pg_class AS c
WHERE c.relnamespace = 'pgmq'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname ~ '^[qa]_' AND c.relname NOT IN (SELECT name FROM ours)
    AND 2 = (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND attname IN ('msg_id', 'vt') AND NOT attisdropped)
ORDER BY c.relname

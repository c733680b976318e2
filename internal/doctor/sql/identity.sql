-- Tables that have neither a primary key nor another replica identity, and whether
-- they are in a publication, which makes Postgres refuse to update and delete rows.
SELECT
    format('pgmq.%I', c.relname) AS name, quote_literal(format('pgmq.%I', c.relname)) AS literal,
    EXISTS (
        SELECT FROM pg_publication AS p
        WHERE (p.pubupdate OR p.pubdelete) AND (
            p.puballtables
            OR EXISTS (SELECT FROM pg_publication_namespace WHERE pnpubid = p.oid AND pnnspid = c.relnamespace)
            OR EXISTS (SELECT FROM pg_publication_rel WHERE prpubid = p.oid AND prrelid IN (
                SELECT c.oid UNION SELECT inhparent FROM pg_inherits WHERE inhrelid = c.oid
            ))
        )
    ) AS published
FROM pg_class AS c
WHERE c.relnamespace = 'pgmq'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relreplident <> 'f'
    AND NOT EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = c.oid AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END
    )
ORDER BY c.relname

SELECT gid AS id, database::text, clock_timestamp() - prepared AS open_for, quote_literal(gid) AS literal
FROM pg_prepared_xacts
ORDER BY prepared

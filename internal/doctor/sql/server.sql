-- Not transaction_read_only, which is always on here: this query runs in a
-- read-only transaction.
SELECT
    current_setting('server_version') AS version,
    current_user::text AS role,
    pg_is_in_recovery() AS standby,
    current_setting('default_transaction_read_only')::boolean AS read_only,
    pg_has_role('pg_read_all_stats', 'USAGE') AS may_monitor

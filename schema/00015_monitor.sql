-- Monitoring: a member of pg_monitor may call pgmq.metrics_all and the like.
-- It may then read what is in the queues, too, as in PGMQ; docs/roles.md tells
-- how to give less.

-- +goose Up
GRANT USAGE ON SCHEMA pgmq TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA pgmq TO pg_monitor;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA pgmq TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON TABLES TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq GRANT SELECT ON SEQUENCES TO pg_monitor;

-- +goose Down
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq REVOKE SELECT ON SEQUENCES FROM pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA pgmq REVOKE SELECT ON TABLES FROM pg_monitor;
REVOKE SELECT ON ALL SEQUENCES IN SCHEMA pgmq FROM pg_monitor;
REVOKE SELECT ON ALL TABLES IN SCHEMA pgmq FROM pg_monitor;
REVOKE USAGE ON SCHEMA pgmq FROM pg_monitor;

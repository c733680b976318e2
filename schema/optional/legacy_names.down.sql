-- Removes the functions of legacy_names.up.sql and no others.

DO $remove$
DECLARE
    ours regprocedure;
BEGIN
    PERFORM pg_advisory_xact_lock(1885826417); -- that of the migrations

    FOR ours IN
        SELECT oid
        FROM pg_catalog.pg_proc
        WHERE pronamespace = to_regnamespace('public')
            AND proname = ANY ('{
                pgmq_create, pgmq_create_non_partitioned, pgmq_create_partitioned, pgmq_send, pgmq_send_batch,
                pgmq_read, pgmq_read_with_poll, pgmq_pop, pgmq_delete, pgmq_archive, pgmq_set_vt, pgmq_purge_queue,
                pgmq_metrics, pgmq_metrics_all, pgmq_drop_queue, pgmq_list_queues
            }')
            AND starts_with(ltrim(prosrc, E' \t\r\n'), '/* pgmq api: legacy_names */')
    LOOP
        EXECUTE format('DROP FUNCTION %s', ours);
    END LOOP;
END $remove$;

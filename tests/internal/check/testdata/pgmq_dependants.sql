-- What users built on PGMQ, and what they put beside its functions.
CREATE SCHEMA app;
CREATE VIEW app.lengths AS SELECT queue_name, queue_length FROM pgmq.metrics_all();
CREATE VIEW app.queues AS SELECT * FROM pgmq.list_queues();
CREATE FUNCTION app.take(queue text) RETURNS SETOF pgmq.message_record LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT * FROM pgmq.read(queue, 30, 1);
END $$;
CREATE FUNCTION app.ids(queue text) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    m pgmq.message_record;
BEGIN
    FOR m IN SELECT * FROM pgmq.read(queue, 0, 100) LOOP
        RETURN NEXT m.msg_id;
    END LOOP;
END $$;
CREATE FUNCTION app.place(body jsonb) RETURNS bigint LANGUAGE sql
    AS $$ SELECT * FROM pgmq.send('orders', body) $$;
CREATE FUNCTION pgmq.mine() RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$;

-- Messages in every state, and what trips people up: capitals, hyphens, two rows
-- over one table, a row without a table. Runs on any version since 1.4.
SELECT pgmq.create('orders'), pgmq.create('Order-Events.v2'), pgmq.create('MyQueue'), pgmq.create('myqueue'),
    pgmq.create('a "b" ü'), pgmq.create_unlogged('fast'), pgmq.create('empty');
INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES ('Orphan', false, false);

DO $$
DECLARE
    queue text;
BEGIN
    FOREACH queue IN ARRAY '{orders, Order-Events.v2, MyQueue, fast, "a \"b\" ü"}'::text[] LOOP
        PERFORM pgmq.send_batch(queue, ARRAY(SELECT jsonb_build_object('queue', queue, 'n', n) FROM generate_series(1, 20) AS n));
        PERFORM pgmq.send(queue, '{"delayed": true}', 3600);
        PERFORM pgmq.send(queue, NULL::jsonb);
        PERFORM pgmq.send(queue, 'null');
        PERFORM pgmq.read(queue, 1800, 5); -- 1 to 5 are in flight
        PERFORM pgmq.read(queue, 0, 2);    -- 6 and 7 came back
        PERFORM pgmq.archive(queue, ARRAY[1, 8]);
        PERFORM pgmq.delete(queue, 9);
    END LOOP;
END $$;

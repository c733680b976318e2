-- Messages in every state, and what trips people up: capitals, hyphens, two rows
-- over one table, a row without a table. Runs on any version since 1.4.
SELECT pgmq.create('orders'), pgmq.create('Order-Events.v2'), pgmq.create('MyQueue'), pgmq.create('myqueue'),
    pgmq.create('a "b" ü'), pgmq.create_unlogged('fast'), pgmq.create('empty');
INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES ('Orphan', false, false);

-- A partitioned queue, as pg_partman leaves it.
CREATE TABLE pgmq.q_parted (
    msg_id bigint GENERATED ALWAYS AS IDENTITY, read_ct integer DEFAULT 0 NOT NULL,
    enqueued_at timestamptz DEFAULT now() NOT NULL, vt timestamptz NOT NULL, message jsonb
) PARTITION BY RANGE (msg_id);
CREATE INDEX q_parted_part_idx ON pgmq.q_parted (msg_id);
CREATE TABLE pgmq.q_parted_p0 PARTITION OF pgmq.q_parted FOR VALUES FROM (0) TO (10);
CREATE TABLE pgmq.q_parted_p10 PARTITION OF pgmq.q_parted FOR VALUES FROM (10) TO (20);
CREATE TABLE pgmq.q_parted_default PARTITION OF pgmq.q_parted DEFAULT;
CREATE TABLE pgmq.a_parted (
    msg_id bigint NOT NULL, read_ct integer DEFAULT 0 NOT NULL, enqueued_at timestamptz DEFAULT now() NOT NULL,
    archived_at timestamptz DEFAULT now() NOT NULL, vt timestamptz NOT NULL, message jsonb
) PARTITION BY RANGE (msg_id);
CREATE INDEX archived_at_idx_parted ON pgmq.a_parted (archived_at);
CREATE TABLE pgmq.a_parted_default PARTITION OF pgmq.a_parted DEFAULT;
INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES ('parted', true, false);

DO $$
DECLARE
    queue text;
BEGIN
    FOREACH queue IN ARRAY '{orders, Order-Events.v2, MyQueue, fast, parted, "a \"b\" ü"}'::text[] LOOP
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

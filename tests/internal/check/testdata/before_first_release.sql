-- What is in before_first_release.sql.gz: a fresh database after these statements
-- has to be the same as that one after the rebaseline.
SELECT pgmq.create('orders'), pgmq.create('MyQueue'), pgmq.create_partitioned('parted', '10', '20');
SELECT pgmq.bind_topic('orders.*', 'orders'), pgmq.bind_topic('#', 'myqueue');
SELECT pgmq.enable_notify_insert('MyQueue', 3600000);
SELECT pgmq.send_batch('orders', '{"{\"n\": 1}", "{\"n\": 2}", "{\"n\": 3}", "{\"n\": 4}"}',
    '{"{\"x-pgmq-group\": \"a\"}", "{\"x-pgmq-group\": \"b\"}", "{}", "null"}'::jsonb[]);
SELECT pgmq.send('orders', '{"n": 5}', timestamptz '2100-01-01');
SELECT pgmq.read('orders', 0, 1), pgmq.archive('orders', 2);
SELECT pgmq.send_topic('orders.new', '{"n": 6}');
SELECT pgmq.send_batch('parted', array_fill('7'::jsonb, '{12}'));

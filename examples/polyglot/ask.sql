-- Asks whether :number is a prime. Waits up to half a minute for the answer to this
-- question, prints the answer, and deletes it.
\set ON_ERROR_STOP on
SELECT jsonb_build_object('number', :number) AS question \gset
SELECT pgmq.send('questions', :'question') AS asked \gset

SELECT msg_id, CASE message ->> 'prime' WHEN 'true' THEN 'a prime' ELSE 'no prime' END AS told
FROM pgmq.read_with_poll('answers', vt => 30, qty => 1, max_poll_seconds => 30, conditional => :'question') \gset
\echo :number is :told

SELECT pgmq.delete('answers', :msg_id) AS deleted \gset

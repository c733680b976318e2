-- The oldest messages of a queue, at most 1,000 of them: how long a visible one
-- has waited, and how often they were read.
WITH first AS MATERIALIZED (
    SELECT msg_id, read_ct, vt FROM pgmq.template_queue ORDER BY msg_id LIMIT 1000
)
SELECT
    statement_timestamp() - min(vt) AS waited,
    count(*) FILTER (WHERE read_ct >= 10) AS repeated,
    coalesce(max(read_ct), 0) AS max_reads,
    coalesce((array_agg(msg_id ORDER BY read_ct DESC, msg_id))[1], 0) AS worst_id
FROM first

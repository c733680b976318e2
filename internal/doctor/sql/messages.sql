-- The oldest messages of a queue, at most 1,000 of them: how long a visible one
-- has waited, and how often they were read. A time may be infinite, or thousands of
-- years ago: more than a hundred years count as that.
WITH first AS MATERIALIZED (
    SELECT msg_id, read_ct, vt FROM pgmq.template_queue ORDER BY msg_id LIMIT 1000
)
SELECT
    max(statement_timestamp() - greatest(vt, statement_timestamp() - interval '100 years'))
        FILTER (WHERE vt <= statement_timestamp()) AS waited,
    count(*) FILTER (WHERE read_ct >= 10) AS repeated,
    coalesce(max(read_ct), 0) AS max_reads,
    coalesce((array_agg(msg_id ORDER BY read_ct DESC, msg_id))[1], 0) AS worst_id
FROM first

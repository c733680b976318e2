-- Functions that take messages by id find them by the primary key, and not by the
-- index on groups, which holds the ids, too, and has to be read from end to end for
-- each of them. The planner would choose that where a long transaction keeps dead
-- rows: few rows in many pages. It fears that it must read all those pages, by the
-- one index that is in the order of the table, unless they cost nothing.

-- +goose Up

-- When a table and its indexes are as good as empty, all plans cost the same, and
-- the planner takes the index that was made last. Queues that are there already
-- have the other order until REINDEX INDEX CONCURRENTLY makes their key anew.
ALTER TABLE pgmq.template_queue DROP CONSTRAINT template_queue_pkey;
ALTER TABLE pgmq.template_queue ADD PRIMARY KEY (msg_id);

ALTER FUNCTION pgmq.read(text, integer, integer, jsonb)
    SET enable_seqscan = off SET enable_bitmapscan = off SET seq_page_cost = 0;
ALTER FUNCTION pgmq.pop(text, integer)
    SET enable_seqscan = off SET enable_bitmapscan = off SET seq_page_cost = 0;
ALTER FUNCTION pgmq.delete(text, bigint[]) SET seq_page_cost = 0;
ALTER FUNCTION pgmq.archive(text, bigint[]) SET seq_page_cost = 0;
ALTER FUNCTION pgmq.set_vt(text, bigint[], timestamptz) SET seq_page_cost = 0;

-- +goose Down
-- The order of the indexes stays.

ALTER FUNCTION pgmq.read(text, integer, integer, jsonb)
    RESET enable_seqscan RESET enable_bitmapscan RESET seq_page_cost;
ALTER FUNCTION pgmq.pop(text, integer)
    RESET enable_seqscan RESET enable_bitmapscan RESET seq_page_cost;
ALTER FUNCTION pgmq.delete(text, bigint[]) RESET seq_page_cost;
ALTER FUNCTION pgmq.archive(text, bigint[]) RESET seq_page_cost;
ALTER FUNCTION pgmq.set_vt(text, bigint[], timestamptz) RESET seq_page_cost;

-- Functions that take several messages by id lock them in the order of their
-- ids: by the primary key. A scan of the table takes them in the order in which
-- they were last updated, and two sessions that have them in different orders
-- wait for each other.

-- +goose Up

ALTER FUNCTION pgmq.delete(text, bigint[]) SET enable_seqscan = off SET enable_bitmapscan = off;
ALTER FUNCTION pgmq.archive(text, bigint[]) SET enable_seqscan = off SET enable_bitmapscan = off;
ALTER FUNCTION pgmq.set_vt(text, bigint[], timestamptz) SET enable_seqscan = off SET enable_bitmapscan = off;

-- +goose Down

ALTER FUNCTION pgmq.delete(text, bigint[]) RESET enable_seqscan RESET enable_bitmapscan;
ALTER FUNCTION pgmq.archive(text, bigint[]) RESET enable_seqscan RESET enable_bitmapscan;
ALTER FUNCTION pgmq.set_vt(text, bigint[], timestamptz) RESET enable_seqscan RESET enable_bitmapscan;

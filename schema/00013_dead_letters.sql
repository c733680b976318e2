-- Dead letters: messages whose handling failed for good move to another queue or to
-- the archive, and back. The header x-pgmq-dead-letter says where they come from.

-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._dead_letter(
    queue_name text, target text,
    msg_ids bigint[], read_cts integer[], last_read_ats timestamptz[], notes jsonb[]
)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    target_table CONSTANT text := pgmq.format_table_name(coalesce($2, $1), CASE WHEN $2 IS NULL THEN 'a' ELSE 'q' END);
    woken        boolean;
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH receipt AS (
            SELECT r.msg_id, r.read_ct, r.last_read_at, r.note
            FROM ROWS FROM (unnest($2), unnest($3), unnest($4), unnest($5)) AS r (msg_id, read_ct, last_read_at, note)
        ),
        moved AS (
            DELETE FROM pgmq.%I AS q
            USING receipt AS r
            WHERE q.msg_id = r.msg_id AND q.read_ct = r.read_ct AND q.last_read_at = r.last_read_at
            RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers, r.note
        ),
        dead AS (
            SELECT
                msg_id, read_ct, enqueued_at, last_read_at, vt, message,
                CASE
                    WHEN headers IS NULL THEN ''{}''
                    WHEN jsonb_typeof(headers) = ''object'' THEN headers
                    ELSE jsonb_build_object(''x-pgmq-headers'', headers)
                END || jsonb_build_object(''x-pgmq-dead-letter'', coalesce(note, ''{}'') || jsonb_build_object(
                    ''queue'', $1,
                    ''msg_id'', msg_id,
                    ''reads'', read_ct,
                    -- Kept from an earlier dead letter of the same message.
                    ''enqueued_at'', CASE
                        WHEN jsonb_typeof(headers #> ''{x-pgmq-dead-letter, enqueued_at}'') = ''string''
                            THEN headers #> ''{x-pgmq-dead-letter, enqueued_at}''
                        ELSE to_jsonb(enqueued_at)
                    END,
                    ''dead_at'', statement_timestamp()
                )) AS headers
            FROM moved
        ),
        written AS (
            INSERT INTO pgmq.%I ' || CASE WHEN $2 IS NULL THEN
                '(msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
                SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers'
            ELSE
                '(vt, message, headers)
                SELECT statement_timestamp(), message, headers'
            END || '
            FROM dead
            ORDER BY msg_id
            RETURNING 1
        )
        SELECT msg_id
        FROM moved
        WHERE (SELECT pgmq._all_stored($6, (SELECT count(*) FROM written), (SELECT count(*) FROM moved)))
        ORDER BY msg_id',
        pgmq.format_table_name($1, 'q'),
        target_table
    ) USING $1, $3, $4, $5, $6, target_table;
    IF FOUND AND $2 IS NOT NULL THEN
        woken := pgmq._notify_consumers(target_table);
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._dead_letter IS
    'Moves messages with valid receipts to the queue target, or to the archive when that is NULL, and returns their ids. The header x-pgmq-dead-letter of each is its note and its origin: queue, msg_id, reads, enqueued_at (the first time) and dead_at.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._redrive(
    source text, target text, qty integer,
    only_ids bigint[], body jsonb, reason text, until timestamptz
)
RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    target_table CONSTANT text := pgmq.format_table_name($2, 'q');
    woken        boolean;
BEGIN
    -- Only the conditions that are set: "or is NULL" would hide the ids from the
    -- planner.
    RETURN QUERY EXECUTE format(
        'WITH next AS MATERIALIZED (
            SELECT msg_id
            FROM pgmq.%1$I
            WHERE vt <= statement_timestamp() %3$s %4$s %5$s %6$s
            ORDER BY msg_id
            LIMIT $1
            FOR UPDATE SKIP LOCKED
        ),
        moved AS (
            DELETE FROM pgmq.%1$I AS q
            USING next
            WHERE q.msg_id = next.msg_id
            RETURNING q.msg_id, q.message, q.headers
        ),
        redriven AS (
            INSERT INTO pgmq.%2$I (vt, message, headers)
            SELECT statement_timestamp(), message, headers
            FROM moved
            ORDER BY msg_id
            RETURNING 1
        )
        SELECT msg_id
        FROM moved
        WHERE (SELECT pgmq._all_stored($6, (SELECT count(*) FROM redriven), (SELECT count(*) FROM moved)))
        ORDER BY msg_id',
        pgmq.format_table_name($1, 'q'),
        target_table,
        CASE WHEN $4 IS NOT NULL THEN 'AND msg_id = ANY ($2)' END,
        CASE WHEN $5 IS NOT NULL THEN 'AND message @> $3' END,
        CASE WHEN $6 IS NOT NULL THEN 'AND headers #>> ''{x-pgmq-dead-letter, reason}'' = $4' END,
        CASE WHEN $7 IS NOT NULL THEN 'AND enqueued_at <= $5' END
    ) USING $3, $4, $5, $6, $7, target_table;
    IF FOUND THEN
        woken := pgmq._notify_consumers(target_table);
    END IF;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._redrive IS
    'Moves up to qty visible messages, oldest first, to another queue as new messages and returns their old ids. Conditions: the id is one of only_ids, the message contains body, the dead letter has this reason, it was enqueued until this time. NULL is no condition. The headers stay.';

-- +goose Down
DROP FUNCTION pgmq._redrive(text, text, integer, bigint[], jsonb, text, timestamptz);
DROP FUNCTION pgmq._dead_letter(text, text, bigint[], integer[], timestamptz[], jsonb[]);

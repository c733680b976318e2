-- Topics: a message that is sent to a routing key goes to all queues that are bound
-- to a matching pattern.
--
-- Patterns differ from AMQP's: # matches any characters, and the dots next to it
-- are mandatory, so logs.# does not match logs.

-- +goose Up
CREATE TABLE IF NOT EXISTS pgmq.topic_bindings (
    pattern        text        NOT NULL,
    queue_name     text        NOT NULL
        CONSTRAINT topic_bindings_meta_queue_name_fk
        REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE,
    bound_at       timestamptz DEFAULT now() NOT NULL,
    compiled_regex text        GENERATED ALWAYS AS (
        '^' || replace(
            replace(regexp_replace(pattern, E'([.+?{}()|\\[\\]\\\\^$])', E'\\\\\\1', 'g'), '*', '[^.]+'),
            '#', '.*'
        ) || '$'
    ) STORED,
    CONSTRAINT topic_bindings_unique_pattern_queue UNIQUE (pattern, queue_name)
);
CREATE INDEX IF NOT EXISTS idx_topic_bindings_covering
    ON pgmq.topic_bindings (pattern) INCLUDE (queue_name, compiled_regex);
COMMENT ON TABLE pgmq.topic_bindings IS 'Bindings of queues to patterns of routing keys.';
SELECT pgmq._set_replica_identity('pgmq.topic_bindings');
-- +goose StatementBegin
DO $$
BEGIN
    -- It goes when pgmq.meta is dropped, of which there is a new one now.
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = 'pgmq.topic_bindings'::regclass AND contype = 'f') THEN
        UPDATE pgmq.topic_bindings AS t SET queue_name = m.queue_name FROM pgmq.meta AS m WHERE pg_catalog.lower(m.queue_name) = pg_catalog.lower(t.queue_name);
        DELETE FROM pgmq.topic_bindings AS t WHERE NOT EXISTS (SELECT FROM pgmq.meta AS m WHERE m.queue_name = t.queue_name);
        ALTER TABLE pgmq.topic_bindings
            ADD CONSTRAINT topic_bindings_meta_queue_name_fk FOREIGN KEY (queue_name) REFERENCES pgmq.meta (queue_name) ON DELETE CASCADE;
    END IF;
END $$;
-- +goose StatementEnd

SELECT pgmq._drop_outdated('{
    validate_routing_key, validate_topic_pattern, bind_topic, unbind_topic, list_topic_bindings, test_routing,
    send_topic, send_batch_topic
}');

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._topic_prefix(pattern text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT pg_catalog.regexp_replace($1, '[*#].*$', '');
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._topic_prefix IS 'The prefix of all keys that match a pattern.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._topic_suffix(pattern text)
RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT pg_catalog.regexp_replace($1, '^.*[*#]', '');
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._topic_suffix IS 'The suffix of all keys that match a pattern.';

-- Postgres caches 32 compiled regular expressions. With this index, a send compiles
-- only those whose prefix and suffix match the key. Collation "C": new versions of
-- the system's locales do not change it.
CREATE INDEX IF NOT EXISTS idx_topic_bindings_ends ON pgmq.topic_bindings (
    (pgmq._topic_prefix(pattern) COLLATE "C"),
    (pgmq._topic_suffix(pattern) COLLATE "C")
);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._validate_topic(name text, value text, characters text, allowed text)
RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce($2, '') = '' THEN
        RAISE EXCEPTION '% cannot be NULL or empty', $1;
    ELSIF length($2) > 255 THEN
        RAISE EXCEPTION '% length cannot exceed 255 characters, got % characters', $1, length($2);
    ELSIF $2 !~ $3 THEN
        RAISE EXCEPTION '% contains invalid characters. Only alphanumeric, dots, hyphens, % are allowed. Got: %', $1, $4, $2;
    ELSIF starts_with($2, '.') THEN
        RAISE EXCEPTION '% cannot start with a dot. Got: %', $1, $2;
    ELSIF right($2, 1) = '.' THEN
        RAISE EXCEPTION '% cannot end with a dot. Got: %', $1, $2;
    ELSIF strpos($2, '..') > 0 THEN
        RAISE EXCEPTION '% cannot contain consecutive dots. Got: %', $1, $2;
    END IF;
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.validate_routing_key(routing_key text)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgmq._validate_topic('routing_key', $1, '^[a-zA-Z0-9._-]+$', 'and underscores');
    RETURN true;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.validate_routing_key IS
    'True, or an exception that says what is wrong with the key: 1 to 255 of a-z, A-Z, 0-9, dot, hyphen and underscore, without a dot at either end and without two dots in a row.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.validate_topic_pattern(pattern text)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgmq._validate_topic('pattern', $1, '^[a-zA-Z0-9._*#-]+$', 'underscores, *, and #');
    IF strpos($1, '**') > 0 THEN
        RAISE EXCEPTION 'pattern cannot contain consecutive stars (**). Use # for multi-segment matching. Got: %', $1;
    ELSIF strpos($1, '##') > 0 THEN
        RAISE EXCEPTION 'pattern cannot contain consecutive hashes (##). A single # already matches zero or more segments. Got: %', $1;
    ELSIF strpos($1, '*#') > 0 OR strpos($1, '#*') > 0 THEN
        RAISE EXCEPTION 'pattern cannot contain adjacent wildcards (*# or #*). Separate wildcards with dots. Got: %', $1;
    END IF;
    RETURN true;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.validate_topic_pattern IS
    'True, or an exception that says what is wrong with the pattern: a routing key in which * matches characters other than a dot, and # any characters.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.bind_topic(pattern text, queue_name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgmq.validate_topic_pattern($1);
    IF coalesce($2, '') = '' THEN
        RAISE EXCEPTION 'queue_name cannot be NULL or empty';
    END IF;
    PERFORM pgmq.acquire_queue_lock($2);
    IF pgmq._listed_name($2) IS NULL THEN
        RAISE EXCEPTION 'Queue "%" does not exist. Create the queue first using pgmq.create()', $2;
    END IF;
    INSERT INTO pgmq.topic_bindings (pattern, queue_name)
    VALUES ($1, pgmq._listed_name($2))
    ON CONFLICT DO NOTHING;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.bind_topic IS
    'Binds a queue to a pattern: from now on it gets a copy of each message whose routing key matches. Does nothing when it is bound already.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.unbind_topic(pattern text, queue_name text)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pgmq.acquire_queue_lock($2);
    DELETE FROM pgmq.topic_bindings AS b WHERE b.pattern = $1 AND b.queue_name = (SELECT pgmq._listed_name($2));
    RETURN FOUND;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.unbind_topic IS 'Removes a binding; false when it did not exist.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.list_topic_bindings()
RETURNS TABLE (pattern text, queue_name text, bound_at timestamptz, compiled_regex text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.pattern, b.queue_name, b.bound_at, b.compiled_regex
    FROM pgmq.topic_bindings AS b
    ORDER BY b.bound_at DESC, b.pattern, b.queue_name;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.list_topic_bindings() IS 'All bindings, the newest first.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.list_topic_bindings(queue_name text)
RETURNS TABLE (pattern text, queue_name text, bound_at timestamptz, compiled_regex text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.pattern, b.queue_name, b.bound_at, b.compiled_regex
    FROM pgmq.topic_bindings AS b
    WHERE b.queue_name = (SELECT pgmq._listed_name($1)) -- once, not for each row
    ORDER BY b.bound_at DESC, b.pattern;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.list_topic_bindings(text) IS 'The bindings of a queue, the newest first.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.test_routing(routing_key text)
RETURNS TABLE (pattern text, queue_name text, compiled_regex text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
-- One plan, whatever the statistics say: probes of the index. JIT, which Postgres
-- uses where it expects many rows, would take a thousand times as long.
SET enable_seqscan = off
SET enable_indexonlyscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
BEGIN
    PERFORM pgmq.validate_routing_key($1); -- first: the work grows with the length
    RETURN QUERY
        SELECT b.pattern, b.queue_name, b.compiled_regex
        FROM (
            -- One probe shows that no pattern has this prefix, which is the usual case.
            SELECT k.beginning
            FROM (SELECT left($1, n) COLLATE "C" AS beginning FROM generate_series(0, length($1)) AS n) AS k
            WHERE k.beginning = (
                SELECT pgmq._topic_prefix(t.pattern) COLLATE "C"
                FROM pgmq.topic_bindings AS t
                WHERE pgmq._topic_prefix(t.pattern) COLLATE "C" >= k.beginning
                ORDER BY 1
                LIMIT 1
            )
            OFFSET 0
        ) AS used, (
            SELECT right($1, n) COLLATE "C" AS ending FROM generate_series(0, length($1)) AS n OFFSET 0
        ) AS e, LATERAL (
            SELECT t.pattern, t.queue_name, t.compiled_regex
            FROM pgmq.topic_bindings AS t
            WHERE pgmq._topic_prefix(t.pattern) COLLATE "C" = used.beginning
                AND pgmq._topic_suffix(t.pattern) COLLATE "C" = e.ending
            OFFSET 0
        ) AS b
        -- LIKE matches more than the regular expression and costs a hundredth.
        WHERE CASE WHEN $1 LIKE translate(b.pattern, E'*#\\', '%%_') THEN $1 ~ b.compiled_regex END
        ORDER BY b.pattern, b.queue_name;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.test_routing IS 'The bindings that match a routing key, by pattern.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq._topic_queues(routing_key text)
RETURNS SETOF text
LANGUAGE sql STABLE
AS $$
    SELECT DISTINCT queue_name FROM pgmq.test_routing($1) ORDER BY 1;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq._topic_queues IS 'The queues that get the messages of a routing key, by name: all senders use the same order.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, headers jsonb, delay integer)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    copies integer;
BEGIN
    IF $2 IS NULL THEN
        RAISE EXCEPTION 'msg cannot be NULL';
    ELSIF $4 < 0 THEN
        RAISE EXCEPTION 'delay cannot be negative, got: %', $4;
    END IF;
    SELECT count(*)
    INTO copies
    FROM pgmq._topic_queues($1) AS queue, pgmq.send(queue, $2, $3, $4);
    RETURN copies;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_topic(text, jsonb, jsonb, integer) IS
    'Sends a copy with headers to each queue that is bound to a matching pattern, visible after delay seconds, and returns the number of copies. 0 is no error.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb)
RETURNS integer
LANGUAGE sql
AS $$
    SELECT pgmq.send_topic($1, $2, NULL, 0);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_topic(text, jsonb) IS 'Sends a copy to each queue that is bound to a matching pattern and returns the number of copies.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, headers jsonb)
RETURNS integer
LANGUAGE sql
AS $$
    SELECT pgmq.send_topic($1, $2, $3, 0);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_topic(text, jsonb, jsonb) IS 'Sends a copy with headers to each queue that is bound to a matching pattern and returns the number of copies.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_topic(routing_key text, msg jsonb, delay integer)
RETURNS integer
LANGUAGE sql
AS $$
    SELECT pgmq.send_topic($1, $2, NULL, $3);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_topic(text, jsonb, integer) IS 'Sends a copy to each queue that is bound to a matching pattern, visible after delay seconds, and returns the number of copies.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay timestamptz)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    queue text;
BEGIN
    PERFORM pgmq._validate_batch_params($2, $3);
    FOR queue IN SELECT pgmq._topic_queues($1) LOOP
        RETURN QUERY SELECT queue, id FROM pgmq._send_batch(queue, $2, $3, $4) AS id;
    END LOOP;
END;
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[], timestamptz) IS
    'Sends copies of all messages, each with its own headers, to each queue that is bound to a matching pattern, visible from a time on. Returns the ids queue by queue, in the order of msgs.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[])
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, NULL, pg_catalog.clock_timestamp());
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[]) IS 'Sends copies of all messages to each queue that is bound to a matching pattern, and returns their ids.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[])
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, $3, pg_catalog.clock_timestamp());
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[]) IS 'Sends copies of all messages, each with its own headers, to each queue that is bound to a matching pattern, and returns their ids.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], delay integer)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, NULL, pgmq._seconds_from_now($3));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], integer) IS 'Sends copies of all messages to each queue that is bound to a matching pattern, visible after delay seconds, and returns their ids.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], delay timestamptz)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, NULL, $3);
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], timestamptz) IS 'Sends copies of all messages to each queue that is bound to a matching pattern, visible from a time on, and returns their ids.';

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pgmq.send_batch_topic(routing_key text, msgs jsonb[], headers jsonb[], delay integer)
RETURNS TABLE (queue_name text, msg_id bigint)
LANGUAGE sql
AS $$
    SELECT * FROM pgmq.send_batch_topic($1, $2, $3, pgmq._seconds_from_now($4));
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[], integer) IS 'Sends copies of all messages, each with its own headers, to each queue that is bound to a matching pattern, visible after delay seconds, and returns their ids.';

-- +goose Down
SELECT pgmq._refuse_to_lose('pgmq.topic_bindings', 'topic bindings', 'Call pgmq.unbind_topic first');
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[], integer);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], timestamptz);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], integer);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[]);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[]);
DROP FUNCTION pgmq.send_batch_topic(text, jsonb[], jsonb[], timestamptz);
DROP FUNCTION pgmq.send_topic(text, jsonb, integer);
DROP FUNCTION pgmq.send_topic(text, jsonb, jsonb);
DROP FUNCTION pgmq.send_topic(text, jsonb);
DROP FUNCTION pgmq.send_topic(text, jsonb, jsonb, integer);
DROP FUNCTION pgmq._topic_queues(text);
DROP FUNCTION pgmq.test_routing(text);
DROP FUNCTION pgmq.list_topic_bindings(text);
DROP FUNCTION pgmq.list_topic_bindings();
DROP FUNCTION pgmq.unbind_topic(text, text);
DROP FUNCTION pgmq.bind_topic(text, text);
DROP FUNCTION pgmq.validate_topic_pattern(text);
DROP FUNCTION pgmq.validate_routing_key(text);
DROP FUNCTION pgmq._validate_topic(text, text, text, text);
DROP TABLE pgmq.topic_bindings;
DROP FUNCTION pgmq._topic_suffix(text);
DROP FUNCTION pgmq._topic_prefix(text);

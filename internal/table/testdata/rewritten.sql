-- name: Announce :exec
SELECT pgmq._notify_consumers((parse_ident('"pgmq"."q_a""b"'))[2])

-- name: Archive :many
WITH moved AS (
    DELETE FROM "pgmq"."q_a""b" AS q
    WHERE q.msg_id = ANY ($1::bigint[])
        AND q.read_ct = ($2::integer[])[width_bucket(q.msg_id, $1::bigint[])]
        AND q.last_read_at = ($3::timestamptz[])[width_bucket(q.msg_id, $1::bigint[])]
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
)
INSERT INTO "pgmq"."a_a""b" (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
FROM moved
RETURNING msg_id

-- name: ArchiveID :many
WITH moved AS (
    DELETE FROM "pgmq"."q_a""b"
    WHERE msg_id = ANY ($1::bigint[])
    RETURNING msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
)
INSERT INTO "pgmq"."a_a""b" (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
FROM moved
RETURNING msg_id

-- name: Archived :many
SELECT msg_id, read_ct, enqueued_at, last_read_at, archived_at, vt, message, headers
FROM "pgmq"."a_a""b"
WHERE msg_id BETWEEN $1::bigint AND $2::bigint
    AND coalesce(archived_at >= $3::timestamptz, true)
    AND coalesce(archived_at < $4::timestamptz, true)
ORDER BY msg_id
LIMIT $5::integer

-- name: ArchivedIDs :many
SELECT msg_id
FROM "pgmq"."a_a""b"
WHERE msg_id BETWEEN $1::bigint AND $2::bigint
    AND coalesce(archived_at >= $3::timestamptz, true)
    AND coalesce(archived_at < $4::timestamptz, true)
ORDER BY msg_id
LIMIT $5::integer

-- name: ArchivedSpan :one
SELECT
    coalesce(min(msg_id), 0)::bigint AS lowest,
    coalesce(max(msg_id), -1)::bigint AS highest
FROM (
    SELECT msg_id
    FROM "pgmq"."a_a""b"
    WHERE archived_at >= coalesce($1::timestamptz, '-infinity')
        AND archived_at < coalesce($2::timestamptz, 'infinity')
    OFFSET 0
) AS archived

-- name: Await :exec
SELECT pg_advisory_lock_shared(pgmq._subscription_lock_key($1::text))

-- name: Bury :exec
INSERT INTO "pgmq"."a_a""b" (msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers)
VALUES (
    $1::bigint,
    $2::integer,
    $3::timestamptz,
    $4::timestamptz,
    $5::timestamptz,
    $6::jsonb,
    $7::jsonb
)

-- name: Count :one
SELECT
    (SELECT count(*) FROM "pgmq"."q_a""b")::bigint AS queued,
    (SELECT count(*) FROM "pgmq"."a_a""b")::bigint AS archived

-- name: Create :exec
SELECT pgmq.create($1::text)

-- name: CreateUnlogged :exec
SELECT pgmq.create_unlogged($1::text)

-- name: DeadLetter :many
SELECT pgmq._dead_letter(
    $1::text,
    $2::text,
    $3::bigint[],
    $4::integer[],
    $5::timestamptz[],
    $6::jsonb[]
)::bigint AS msg_id

-- name: Delete :many
DELETE FROM "pgmq"."q_a""b" AS q
WHERE q.msg_id = ANY ($1::bigint[])
    -- No join, whose plan may turn into a scan of the table: width_bucket finds
    -- the place of an id in the array.
    AND q.read_ct = ($2::integer[])[width_bucket(q.msg_id, $1::bigint[])]
    AND q.last_read_at = ($3::timestamptz[])[width_bucket(q.msg_id, $1::bigint[])]
RETURNING q.msg_id

-- name: DeleteID :many
DELETE FROM "pgmq"."q_a""b"
WHERE msg_id = ANY ($1::bigint[])
RETURNING msg_id

-- name: Drop :one
SELECT pgmq.drop_queue($1::text)::boolean AS dropped

-- name: Durability :one
SELECT
    split_part(current_setting('server_version'), ' ', 1)::text AS version,
    current_setting('synchronous_commit')::text AS synchronous_commit,
    current_setting('fsync')::text AS fsync

-- name: Existing :many
SELECT msg_id
FROM "pgmq"."q_a""b"
WHERE msg_id = ANY ($1::bigint[])

-- name: Find :one
SELECT
    (parse_ident('"pgmq"."q_a""b"'))[2]::text AS name,
    (to_regclass('"pgmq"."q_a""b"') IS NOT NULL)::boolean AS found

-- name: GiveBack :many
UPDATE "pgmq"."q_a""b" AS q
SET
    vt = statement_timestamp(),
    read_ct = q.read_ct - 1
WHERE q.msg_id = ANY ($1::bigint[])
    AND q.read_ct = ($2::integer[])[width_bucket(q.msg_id, $1::bigint[])]
    AND q.last_read_at = ($3::timestamptz[])[width_bucket(q.msg_id, $1::bigint[])]
RETURNING q.msg_id

-- name: Grants :many
SELECT
    prefix::text AS prefix,
    coalesce(role.rolname::text, 'PUBLIC')::text AS grantee,
    g.privileges::text AS privileges
FROM
    unnest('{q, a}'::text[]) AS prefix,
    LATERAL (SELECT format('pgmq.%I', pgmq.format_table_name($1::text, prefix)) AS root) AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(root),
    LATERAL (
        SELECT p.grantee, string_agg(p.privilege_type || coalesce(' (' || p.columns || ')', ''), ', ' ORDER BY p.columns IS NOT NULL, p.privilege_type) AS privileges
        FROM (
            SELECT acl.grantee, acl.privilege_type, NULL AS columns
            FROM aclexplode(c.relacl) AS acl (grantor, grantee, privilege_type, is_grantable)
            UNION ALL
            SELECT acl.grantee, acl.privilege_type, string_agg(a.attname::text, ', ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a, aclexplode(a.attacl) AS acl (grantor, grantee, privilege_type, is_grantable)
            WHERE a.attrelid = c.oid AND NOT a.attisdropped
            GROUP BY acl.grantee, acl.privilege_type
        ) AS p
        WHERE p.grantee <> c.relowner
        GROUP BY p.grantee
    ) AS g
    LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = g.grantee
ORDER BY prefix DESC, role.rolname IS NOT NULL, role.rolname

-- name: Indexes :many
SELECT
    prefix::text AS prefix,
    x.relname::text AS name,
    pg_get_indexdef(x.oid)::text AS definition,
    i.indisvalid AS valid,
    (pg_relation_size(x.oid) + coalesce((SELECT sum(pg_relation_size(inhrelid)) FROM pg_catalog.pg_inherits WHERE inhparent = x.oid), 0))::bigint AS size
FROM
    unnest('{q, a}'::text[]) AS prefix,
    LATERAL (SELECT format('pgmq.%I', pgmq.format_table_name($1::text, prefix)) AS root) AS r
    JOIN pg_catalog.pg_index AS i ON i.indrelid = to_regclass(root)
    JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
ORDER BY prefix DESC, i.indisprimary DESC, x.relname

-- name: List :many
SELECT queue_name, is_partitioned, is_unlogged, created_at
FROM pgmq.meta
ORDER BY queue_name

-- name: Listed :one
SELECT queue_name, is_partitioned, is_unlogged, created_at
FROM pgmq.meta
WHERE pgmq.format_table_name(queue_name, 'q') = pgmq.format_table_name($1::text, 'q')
ORDER BY queue_name <> $1::text
LIMIT 1

-- name: Lock :exec
LOCK TABLE "pgmq"."q_a""b", "pgmq"."a_a""b" IN ACCESS EXCLUSIVE MODE

-- name: Look :one
SELECT
    coalesce(array_agg(soon.msg_id ORDER BY soon.due_at NULLS FIRST, soon.msg_id), '{}')::bigint[] AS msg_ids,
    coalesce(array_agg(
        coalesce(date_part('epoch', soon.due_at) - date_part('epoch', statement_timestamp()), 0)
        ORDER BY soon.due_at NULLS FIRST, soon.msg_id
    ), '{}')::double precision[] AS due_ins,
    coalesce((
        SELECT max(msg_id)
        FROM "pgmq"."q_a""b"
        WHERE msg_id >= $1::bigint AND msg_id < $2::bigint
    ), 0)::bigint AS last,
    (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::bigint AS oldest_running,
    (
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            + age(pg_snapshot_xmin(pg_current_snapshot())::text::xid)
    )::bigint AS next_id
FROM (
    SELECT msg_id, CASE WHEN vt > statement_timestamp() THEN vt END AS due_at
    FROM "pgmq"."q_a""b"
    WHERE msg_id >= $1::bigint AND msg_id < $2::bigint
        AND vt <= statement_timestamp() + $3::interval
    ORDER BY due_at NULLS FIRST, msg_id
    LIMIT $4::integer
) AS soon

-- name: Lower :one
SELECT lower($1::text)::text AS name

-- name: Maintain :exec
CALL pgmq.maintain_partitions($1::text)

-- name: Metrics :one
SELECT
    round(count(*) * 100 / $1::double precision)::bigint AS length,
    round(count(*) FILTER (WHERE vt <= statement_timestamp()) * 100 / $1::double precision)::bigint AS visible,
    round(count(*) FILTER (WHERE vt > statement_timestamp() AND read_ct = 0) * 100 / $1::double precision)::bigint AS delayed,
    coalesce(max(read_ct), 0)::integer AS max_read_ct,
    coalesce(min(enqueued_at) FILTER (WHERE vt <= statement_timestamp()), to_timestamp(0))::timestamptz AS oldest_visible,
    coalesce(max(enqueued_at), to_timestamp(0))::timestamptz AS newest,
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('"pgmq"."q_a""b"', 'msg_id')::regclass), 0)::bigint AS last_id,
    statement_timestamp()::timestamptz AS at
FROM "pgmq"."q_a""b" TABLESAMPLE SYSTEM ($1::double precision)

-- name: NextTransaction :one
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS id

-- name: NotifySettings :many
SELECT throttle_interval_ms, last_notified_at
FROM pgmq.notify_insert_throttle
WHERE queue_name = $1::text

-- name: Now :one
SELECT statement_timestamp()::timestamptz AS now

-- name: Origins :many
SELECT coalesce(source, '')::text AS source, count(*)::bigint AS messages
FROM (
    SELECT headers #>> '{x-pgmq-dead-letter, queue}' AS source
    FROM "pgmq"."q_a""b"
    ORDER BY msg_id
    LIMIT 1000
) AS t
GROUP BY source
ORDER BY messages DESC, source

-- name: PartitionSettings :many
SELECT prefix, partition_interval, retention_interval, premake, drop_unread
FROM pgmq.partitioned_tables
WHERE queue_name = $1::text
ORDER BY prefix DESC

-- name: Peek :many
SELECT msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers
FROM "pgmq"."q_a""b"
WHERE msg_id >= $1::bigint
ORDER BY msg_id
LIMIT $2::integer

-- name: Pop :many
DELETE FROM "pgmq"."q_a""b" AS q
WHERE q.msg_id = ANY (ARRAY(
    SELECT msg_id
    FROM "pgmq"."q_a""b"
    WHERE msg_id >= $1::bigint AND vt <= statement_timestamp()
    ORDER BY msg_id
    LIMIT $2::integer
    FOR UPDATE SKIP LOCKED
))
RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers

-- name: Postpone :many
UPDATE "pgmq"."q_a""b" AS q
SET vt = statement_timestamp()
    + ($1::double precision[])[width_bucket(q.msg_id, $2::bigint[])] * interval '1 second'
WHERE q.msg_id = ANY ($2::bigint[])
    AND q.read_ct = ($3::integer[])[width_bucket(q.msg_id, $2::bigint[])]
    AND q.last_read_at = ($4::timestamptz[])[width_bucket(q.msg_id, $2::bigint[])]
RETURNING q.msg_id

-- name: PruneArchive :one
WITH old AS MATERIALIZED (
    SELECT msg_id
    FROM "pgmq"."a_a""b"
    WHERE archived_at >= coalesce($1::timestamptz, '-infinity')
        AND archived_at < $2::timestamptz
    ORDER BY archived_at
    LIMIT $3::integer
),
pruned AS (
    DELETE FROM "pgmq"."a_a""b" AS a
    USING old
    WHERE a.msg_id = old.msg_id
    RETURNING a.archived_at
)
SELECT
    count(*)::bigint AS pruned,
    coalesce(max(archived_at), to_timestamp(0))::timestamptz AS last_archived_at
FROM pruned

-- name: Purge :one
SELECT pgmq.purge_queue($1::text)::bigint AS purged

-- name: Read :many
WITH taken AS (
    UPDATE "pgmq"."q_a""b" AS q
    SET
        vt = statement_timestamp() + $1::interval,
        read_ct = q.read_ct + 1,
        last_read_at = statement_timestamp()
    -- An array and no join: it is made once, and needs no plan that statistics can
    -- turn into a scan of the table.
    WHERE q.msg_id = ANY (ARRAY(
        SELECT msg_id
        FROM "pgmq"."q_a""b"
        WHERE msg_id >= $2::bigint AND vt <= statement_timestamp()
        ORDER BY msg_id
        LIMIT $3::integer
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers
)
SELECT
    msg_id, read_ct, enqueued_at, last_read_at, vt, message, headers,
    (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)::bigint AS oldest_running,
    -- Not the snapshot's xmax, which is the first that has not ended.
    (
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            + age(pg_snapshot_xmin(pg_current_snapshot())::text::xid)
    )::bigint AS next_id
FROM taken

-- name: ReadID :many
UPDATE "pgmq"."q_a""b" AS q
SET
    vt = statement_timestamp() + $1::interval,
    read_ct = q.read_ct + 1,
    last_read_at = statement_timestamp()
WHERE q.msg_id = ANY (ARRAY(
    SELECT msg_id
    FROM "pgmq"."q_a""b"
    WHERE msg_id = ANY ($2::bigint[]) AND vt <= statement_timestamp()
    ORDER BY msg_id
    FOR UPDATE SKIP LOCKED
))
RETURNING q.msg_id, q.read_ct, q.enqueued_at, q.last_read_at, q.vt, q.message, q.headers

-- name: Redrive :many
SELECT pgmq._redrive(
    $1::text,
    $2::text,
    $3::integer,
    $4::bigint[],
    $5::jsonb,
    $6::text,
    $7::timestamptz
)::bigint AS msg_id

-- name: Relations :many
SELECT
    prefix::text AS prefix,
    format_table_name::text AS name,
    pg_get_userbyid(c.relowner)::text AS owner,
    s.partitions::bigint AS partitions,
    s.heap::bigint AS heap,
    s.indexes::bigint AS indexes,
    s.options::text AS options,
    s.dead::bigint AS dead,
    s.inserted::bigint AS inserted,
    s.updated::bigint AS updated,
    s.deleted::bigint AS deleted,
    s.vacuumed_at::timestamptz AS vacuumed_at,
    s.autovacuumed_at::timestamptz AS autovacuumed_at,
    s.analyzed_at::timestamptz AS analyzed_at
FROM
    unnest('{q, a}'::text[]) AS prefix,
    LATERAL pgmq.format_table_name($1::text, prefix),
    LATERAL (SELECT format('pgmq.%I', format_table_name) AS root) AS r
    JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(root),
    LATERAL (
        SELECT
            count(*) - 1 AS partitions,
            sum(pg_table_size(t.oid)) AS heap,
            sum(pg_indexes_size(t.oid)) AS indexes,
            coalesce(max(array_to_string(l.reloptions, ', ')), '') AS options,
            sum(pg_stat_get_dead_tuples(t.oid)) AS dead,
            sum(pg_stat_get_tuples_inserted(t.oid)) AS inserted,
            sum(pg_stat_get_tuples_updated(t.oid)) AS updated,
            sum(pg_stat_get_tuples_deleted(t.oid)) AS deleted,
            coalesce(max(pg_stat_get_last_vacuum_time(t.oid)), to_timestamp(0)) AS vacuumed_at,
            coalesce(max(pg_stat_get_last_autovacuum_time(t.oid)), to_timestamp(0)) AS autovacuumed_at,
            coalesce(greatest(max(pg_stat_get_last_analyze_time(t.oid)), max(pg_stat_get_last_autoanalyze_time(t.oid))), to_timestamp(0)) AS analyzed_at
        FROM
            (SELECT to_regclass(root)::oid AS oid UNION SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = to_regclass(root)) AS t
            JOIN pg_catalog.pg_class AS l ON l.oid = t.oid
    ) AS s
ORDER BY prefix DESC

-- name: Replay :one
WITH moved AS (
    DELETE FROM "pgmq"."a_a""b"
    WHERE msg_id = ANY ($2::bigint[])
    RETURNING msg_id, message, headers
),
sent AS (
    INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
    SELECT statement_timestamp(), message, headers
    FROM moved
    ORDER BY msg_id
    RETURNING msg_id
)
SELECT (CASE
    WHEN count(*) > 0 AND pgmq._notify_consumers((parse_ident('"pgmq"."q_a""b"'))[2], $1::boolean) IS NOT NULL
        THEN count(*)
    ELSE 0
END)::bigint AS replayed
FROM sent

-- name: Send :one
WITH sent AS (
    INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
    VALUES (
        coalesce($2::timestamptz, statement_timestamp() + $3::interval),
        $4::jsonb,
        $5::jsonb
    )
    RETURNING msg_id
)
SELECT msg_id
FROM sent
WHERE pgmq._notify_consumers((parse_ident('"pgmq"."q_a""b"'))[2], $1::boolean) IS NOT NULL

-- name: SendBatch :many
WITH sent AS (
    INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
    SELECT
        coalesce($2::timestamptz, statement_timestamp() + $3::interval),
        body.message,
        $4::jsonb
    FROM ROWS FROM (unnest($5::jsonb[])) WITH ORDINALITY AS body (message, ord)
    ORDER BY body.ord
    RETURNING msg_id
)
SELECT (CASE
    WHEN (SELECT pgmq._notify_consumers((parse_ident('"pgmq"."q_a""b"'))[2], $1::boolean)) IS NOT NULL
        THEN msg_id
END)::bigint AS msg_id
FROM sent

-- name: SendMany :many
WITH sent AS (
    INSERT INTO "pgmq"."q_a""b" (vt, message, headers)
    SELECT
        coalesce(nullif(body.visible_at, '0001-01-01 00:00:00+00'), statement_timestamp() + body.delay * interval '1 second'),
        body.message,
        body.headers
    FROM ROWS FROM (
        unnest($2::jsonb[]),
        unnest($3::jsonb[]),
        unnest($4::timestamptz[]),
        unnest($5::double precision[])
    ) WITH ORDINALITY AS body (message, headers, visible_at, delay, ord)
    ORDER BY body.ord
    RETURNING msg_id
)
SELECT (CASE
    WHEN (SELECT pgmq._notify_consumers((parse_ident('"pgmq"."q_a""b"'))[2], $1::boolean)) IS NOT NULL
        THEN msg_id
END)::bigint AS msg_id
FROM sent

-- name: SetVT :many
UPDATE "pgmq"."q_a""b" AS q
SET vt = statement_timestamp() + $1::interval
WHERE q.msg_id = ANY ($2::bigint[])
    AND q.read_ct = ($3::integer[])[width_bucket(q.msg_id, $2::bigint[])]
    AND q.last_read_at = ($4::timestamptz[])[width_bucket(q.msg_id, $2::bigint[])]
RETURNING q.msg_id, q.vt

-- name: SetVTID :many
UPDATE "pgmq"."q_a""b"
SET vt = statement_timestamp() + $1::interval
WHERE msg_id = ANY ($2::bigint[])
RETURNING msg_id

-- name: Stats :one
SELECT
    count(*)::bigint AS length,
    (count(*) FILTER (WHERE vt <= statement_timestamp()))::bigint AS visible,
    coalesce(min(enqueued_at), to_timestamp(0))::timestamptz AS oldest,
    coalesce(max(enqueued_at), to_timestamp(0))::timestamptz AS newest,
    statement_timestamp()::timestamptz AS at
FROM "pgmq"."q_a""b"

-- name: Stored :many
SELECT
    m.queue_name,
    m.is_unlogged,
    coalesce(p.partition_interval, '')::text AS partition_interval,
    coalesce(p.retention_interval, '')::text AS retention_interval,
    coalesce(p.premake, 0)::integer AS premake,
    coalesce(p.drop_unread, false)::boolean AS drop_unread,
    coalesce(n.throttle_interval_ms, -1)::integer AS throttle_interval_ms,
    ARRAY(
        SELECT b.pattern
        FROM pgmq.topic_bindings AS b
        WHERE b.queue_name = m.queue_name
        ORDER BY b.pattern COLLATE "C"
    )::text[] AS topics
FROM pgmq.meta AS m
LEFT JOIN pgmq.partitioned_tables AS p ON p.queue_name = m.queue_name AND p.prefix = 'q'
LEFT JOIN pgmq.notify_insert_throttle AS n ON n.queue_name = m.queue_name
WHERE to_regclass(format('pgmq.%I', pgmq.format_table_name(m.queue_name, 'q'))) IS NOT NULL
    AND to_regclass(format('pgmq.%I', pgmq.format_table_name(m.queue_name, 'a'))) IS NOT NULL
ORDER BY m.queue_name

-- name: Tables :many
SELECT
    m.queue_name,
    s.found::boolean AS found,
    s.blocks::bigint AS blocks,
    s.size::bigint AS size,
    s.deleted::bigint AS deleted,
    s.archive_size::bigint AS archive_size,
    s.archive_estimate::bigint AS archive_estimate
FROM
    pgmq.meta AS m,
    LATERAL (
        SELECT
            coalesce(bool_or(prefix = 'q'), false) AS found,
            coalesce(sum(blocks) FILTER (WHERE prefix = 'q'), 0) AS blocks,
            coalesce(sum(pg_total_relation_size(t.relid)) FILTER (WHERE prefix = 'q'), 0) AS size,
            coalesce(sum(pg_stat_get_tuples_deleted(t.relid)) FILTER (WHERE prefix = 'q'), 0) AS deleted,
            coalesce(sum(pg_total_relation_size(t.relid)) FILTER (WHERE prefix = 'a'), 0) AS archive_size,
            coalesce(CASE WHEN bool_or(prefix = 'a' AND blocks > 0 AND (c.relpages = 0 OR c.reltuples < 0)) THEN -1 ELSE
                sum(CASE WHEN blocks > 0 THEN round(c.reltuples / nullif(c.relpages, 0) * blocks) ELSE 0 END) FILTER (WHERE prefix = 'a')
            END, 0) AS archive_estimate
        FROM
            unnest('{q, a}'::text[]) AS prefix,
            LATERAL (SELECT format('pgmq.%I', pgmq.format_table_name(m.queue_name, prefix)) AS name) AS r,
            LATERAL (SELECT to_regclass(name) AS relid UNION SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = to_regclass(name)) AS t
            JOIN pg_catalog.pg_class AS c ON c.oid = t.relid,
            LATERAL (SELECT pg_relation_size(t.relid) / current_setting('block_size')::integer AS blocks) AS b
    ) AS s
WHERE $1::text IS NULL
    OR pgmq.format_table_name(m.queue_name, 'q') = pgmq.format_table_name($1::text, 'q')
ORDER BY m.queue_name

-- name: Topics :many
SELECT pattern
FROM pgmq.topic_bindings
WHERE queue_name = $1::text
ORDER BY pattern COLLATE "C"

-- name: Unawait :exec
SELECT pg_advisory_unlock_shared(pgmq._subscription_lock_key($1::text))

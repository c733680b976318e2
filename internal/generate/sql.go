package generate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// literal quotes a text for SQL, for any value of standard_conforming_strings.
func literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// create returns the SQL that creates a queue, and does nothing if it exists.
func create(s Stored) []string {
	bare := Stored{Name: s.Name, Unlogged: s.Unlogged, Partitions: s.Partitions}
	bare.Partitions.DropUnread = false
	call := fmt.Sprintf("pgmq.create(%s)", literal(s.Name))
	switch {
	case s.Unlogged:
		call = fmt.Sprintf("pgmq.create_unlogged(%s)", literal(s.Name))
	case s.Partitions.Every != "":
		call = fmt.Sprintf("pgmq.create_partitioned(%s, %s, %s, premake => %d)",
			literal(s.Name), literal(s.Partitions.Every), literal(s.Partitions.Keep), s.Partitions.Premake)
	}
	return append([]string{"SELECT " + call + ";"}, alter(bare, s)...)
}

// alter returns the SQL for the settings that can change while a queue is in use.
func alter(from, to Stored) []string {
	var sql []string
	add := func(format string, args ...any) { sql = append(sql, fmt.Sprintf(format, args...)) }
	name := literal(to.Name)
	if from.Partitions.Keep != to.Partitions.Keep || from.Partitions.DropUnread != to.Partitions.DropUnread {
		add("SELECT pgmq.set_partition_retention(%s, %s, drop_unread => %t);", name, literal(to.Partitions.Keep), to.Partitions.DropUnread)
	}
	if from.Partitions.Premake != to.Partitions.Premake {
		add("UPDATE pgmq.partitioned_tables SET premake = %d WHERE %s;", to.Partitions.Premake, isQueue(to))
	}
	if from.Notify != to.Notify {
		if to.Notify == "" {
			add("SELECT pgmq.disable_notify_insert(%s);", name)
		} else {
			interval, _ := time.ParseDuration(to.Notify) // Duration.String wrote it
			add("SELECT pgmq.enable_notify_insert(%s, throttle_interval_ms => %d);", name, interval.Milliseconds())
		}
	}
	for _, topic := range from.Topics {
		if !slices.Contains(to.Topics, topic) {
			add("SELECT pgmq.unbind_topic(%s, %s);", literal(topic), name)
		}
	}
	for _, topic := range to.Topics {
		if !slices.Contains(from.Topics, topic) {
			add("SELECT pgmq.bind_topic(%s, %s);", literal(topic), name)
		}
	}
	return sql
}

// isQueue returns the SQL condition for the rows of a queue. It ignores case.
func isQueue(s Stored) string {
	return fmt.Sprintf("pgmq.format_table_name(queue_name, 'q') = pgmq.format_table_name(%s, 'q')", literal(s.Name))
}

// setStorage returns the SQL that makes a queue logged or unlogged. Its messages stay.
func setStorage(s Stored) string {
	word := "LOGGED"
	if s.Unlogged {
		word = "UNLOGGED"
	}
	return fmt.Sprintf(`-- Rewrites the table; senders and readers wait meanwhile.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('ALTER TABLE pgmq.%%I SET %s', pgmq.format_table_name(%s, 'q'));
    UPDATE pgmq.meta SET is_unlogged = %t WHERE %s;
END $$;
-- +goose StatementEnd`, word, literal(s.Name), s.Unlogged, isQueue(s))
}

// drop returns the SQL that drops queues. It fails if they or their archives hold
// messages, unless the session allows to drop those.
func drop(queues []string) string {
	names := make([]string, len(queues))
	for i, name := range queues {
		names[i] = literal(name)
	}
	return `-- Fails while a queue or its archive holds messages, unless the session allows to
-- drop them: PGOPTIONS='-c pgmq.drop_messages=on'.
-- +goose StatementBegin
DO $$
DECLARE
    allowed CONSTANT boolean := coalesce(current_setting('pgmq.drop_messages', true), '') IN ('on', 'true', '1', 'yes');
    queue text;
    part  text;
    held  boolean;
BEGIN
    FOREACH queue IN ARRAY ARRAY[` + strings.Join(names, ", ") + `] LOOP
        PERFORM pgmq.acquire_queue_lock(queue);
        FOREACH part IN ARRAY ARRAY[pgmq.format_table_name(queue, 'q'), pgmq.format_table_name(queue, 'a')] LOOP
            CONTINUE WHEN allowed OR to_regclass(format('pgmq.%I', part)) IS NULL;
            EXECUTE format('LOCK TABLE pgmq.%I IN ACCESS EXCLUSIVE MODE', part);
            EXECUTE format('SELECT EXISTS (SELECT FROM pgmq.%I)', part) INTO held;
            IF held THEN
                RAISE EXCEPTION 'pgmq.% still holds messages: empty it, or set pgmq.drop_messages to on for this session', quote_ident(part)
                    USING ERRCODE = 'object_not_in_prerequisite_state';
            END IF;
        END LOOP;
        PERFORM pgmq.drop_queue(queue);
    END LOOP;
END $$;
-- +goose StatementEnd`
}

// migrated is SQL that fails in a database without schema pgmq.
const migrated = `-- +goose StatementBegin
DO $$
BEGIN
    IF to_regproc('pgmq.create') IS NULL THEN
        RAISE EXCEPTION 'schema pgmq is not in this database yet: run "pgmq migrate up" first'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$;
-- +goose StatementEnd`

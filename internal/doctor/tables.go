package doctor

import (
	"context"
	_ "embed"
	"fmt"
	"time"
)

//go:embed sql/tables.sql
var tablesSQL string

// tableFacts is a queue's table (prefix q) or archive (a). Its numbers are sums
// over its partitions.
type tableFacts struct {
	Queue       string
	Literal     string // the queue's name for SQL
	Prefix      string
	Name        string // quoted, with its schema
	CreatedAt   time.Time
	Exists      bool
	Partitioned bool
	Unlogged    bool
	Unvacuumed  []string // tables with autovacuum_enabled = off
	Lacking     []string // tables that lack storage parameters of the template
	Wanted      *string  // the template's storage parameters
	Dead        int64
	Live        int64
	VacuumedAt  *time.Time
	Bytes       int64 // this and Rows are as of the last vacuum
	Rows        int64
	ByID        bool // it has an index on msg_id
	ByTime      bool // on archived_at
	ByGroup     bool // on the group
	Invalid     []string
	Needless    []string
	Now         time.Time
}

func (t tableFacts) isQueue() bool { return t.Prefix == "q" }

func queues(ctx context.Context, e *Examination) ([]Finding, error) {
	var err error
	if e.tables, err = facts[tableFacts](ctx, e, tablesSQL); err != nil {
		return nil, err
	}
	n, dead := 0, int64(0)
	for _, t := range e.tables {
		if t.isQueue() {
			n++
		}
		dead += t.Dead
	}
	return []Finding{{Level: OK, What: fmt.Sprintf("%s queue(s), %s dead rows in all", number(int64(n)), number(dead))}}, nil
}

// forEachTable returns a check that judges every table and archive of a queue. judge
// may get one that does not exist.
func (e *Examination) forEachTable(judge func(tableFacts) []Finding) checkFunc {
	return func(context.Context, *Examination) ([]Finding, error) {
		var found []Finding
		for _, t := range e.tables {
			for _, f := range judge(t) {
				f.Queue = t.Queue
				found = append(found, f)
			}
		}
		return found, nil
	}
}

// renew returns the SQL that gives a queue the template's storage parameters.
func (t tableFacts) renew() string { return fmt.Sprintf("SELECT pgmq._apply_storage(%s)", t.Literal) }

func missing(t tableFacts) []Finding {
	if t.Exists {
		return nil
	}
	f := Finding{
		Level: Problem,
		What:  t.Name + ", its table, is missing: nobody can send or read",
		Do:    fmt.Sprintf("SELECT pgmq.create(%s) makes it, SELECT pgmq.drop_queue(%[1]s) removes the rest", t.Literal),
	}
	if !t.isQueue() {
		f.What = t.Name + ", its archive, is missing: nothing can be archived"
	}
	return []Finding{f}
}

func indexes(t tableFacts) []Finding {
	if !t.Exists {
		return nil
	}
	var found []Finding
	if !t.ByID {
		f := Finding{
			Level: Problem,
			What:  t.Name + " has no index on msg_id: every read and every delete scans the whole table",
			Do:    fmt.Sprintf("ALTER TABLE %s ADD PRIMARY KEY (msg_id)", t.Name),
		}
		if t.Partitioned { // by time, a key would need another column
			f.Do = fmt.Sprintf("CREATE INDEX ON %s (msg_id)", t.Name)
		}
		if !t.isQueue() {
			f.Level = Warning
			f.What = t.Name + " has no index on msg_id: listing and replaying scan the whole archive"
		}
		if t.Partitioned {
			f.Do = fmt.Sprintf("CREATE INDEX ON %s (msg_id)", t.Name)
		}
		found = append(found, f)
	}
	if !t.isQueue() && !t.ByTime {
		f := Finding{
			Level: Warning,
			What:  t.Name + " has no index on archived_at: pruning scans the whole archive",
			Do:    fmt.Sprintf("CREATE INDEX CONCURRENTLY ON %s (archived_at)", t.Name),
		}
		if t.Partitioned {
			f.Do = fmt.Sprintf("CREATE INDEX ON %s (archived_at)", t.Name)
		}
		found = append(found, f)
	}
	if !t.ByGroup {
		found = append(found, Finding{
			Level: Notice,
			What:  t.Name + " has no index on groups: pgmq.read_grouped and similar functions scan the whole table",
			Do:    fmt.Sprintf("if you read by groups, when the queue is quiet: SELECT pgmq.create_fifo_index(%s)", t.Literal),
		})
	}
	for _, index := range t.Invalid {
		found = append(found, Finding{
			Level: Warning,
			What:  fmt.Sprintf("index %s is invalid: Postgres writes to it and never uses it", index),
			Do:    fmt.Sprintf("REINDEX INDEX CONCURRENTLY %s, or DROP INDEX %[1]s", index),
		})
	}
	for _, index := range t.Needless {
		found = append(found, Finding{
			Level: Warning,
			What:  fmt.Sprintf("index %s makes every read write to every index and speeds up no query", index),
			Do:    t.renew() + ", or DROP INDEX " + index,
		})
	}
	return found
}

func storage(t tableFacts) []Finding {
	var found []Finding
	for _, table := range t.Unvacuumed {
		found = append(found, Finding{
			Level: Problem,
			What:  fmt.Sprintf("autovacuum is off for %s: it grows with every message and becomes slow", table),
			Do:    fmt.Sprintf("ALTER TABLE %s RESET (autovacuum_enabled)", table),
		})
	}
	if len(t.Lacking) == 0 || t.Wanted == nil {
		return found
	}
	f := Finding{
		Level: Warning,
		What:  fmt.Sprintf("%s lacks some of the template's storage parameters: vacuum runs late, reads cost more", t.Lacking[0]),
		Do:    t.renew(),
	}
	if t.Partitioned {
		f.What = fmt.Sprintf("%d of its partitions, such as %s, lack some of the template's storage parameters: vacuum runs late, reads cost more", len(t.Lacking), t.Lacking[0])
		f.Do = fmt.Sprintf("for each of them: ALTER TABLE %s SET (%s)", t.Lacking[0], *t.Wanted)
	}
	return append(found, f)
}

const (
	// manyDead rows start autovacuum in a queue of at most half a million messages
	// that has the template's storage parameters.
	manyDead = 10_000
	// tooManyDead are more than a busy queue leaves between two vacuums.
	tooManyDead = 10_000_000
	// vacuumLate is the longest that autovacuum may take to start.
	vacuumLate = 10 * time.Minute
)

func deadRows(t tableFacts) []Finding {
	since := t.CreatedAt
	if t.VacuumedAt != nil {
		since = *t.VacuumedAt
	}
	late := t.Now.Sub(since) > vacuumLate
	if t.Dead < manyDead+t.Live/10 || !late && t.Dead < tooManyDead {
		return nil
	}
	f := Finding{
		Level: Warning,
		What:  fmt.Sprintf("%s has %s dead rows and %s live ones", t.Name, number(t.Dead), number(t.Live)),
		Do:    "VACUUM " + t.Name + "; this helps only when no transaction, slot or standby keeps dead rows",
	}
	if t.VacuumedAt == nil {
		f.What += "; it was never vacuumed"
	} else {
		f.What += fmt.Sprintf("; it was last vacuumed %s ago", seconds(t.Now.Sub(since)))
	}
	return []Finding{f}
}

const (
	// minBloat is the smallest table that counts as bloated.
	minBloat = 64 * megabyte
	// maxRow is the most that a row takes in its table, with the room that reads
	// need. Postgres stores longer values out of line.
	maxRow = 16 << 10
)

func bloat(t tableFacts) []Finding {
	if t.Bytes < minBloat || t.Bytes/maxRow < t.Rows {
		return nil
	}
	f := Finding{
		Level: Notice,
		What:  fmt.Sprintf("%s takes %s for %s message(s): it once held more", t.Name, size(t.Bytes), number(t.Rows)),
		Do:    "new messages will fill it; or, when the queue is quiet, VACUUM FULL " + t.Name + ", which locks it",
	}
	if t.Bytes >= gigabyte {
		f.Level = Warning
	}
	return []Finding{f}
}

func unlogged(t tableFacts) []Finding {
	if !t.Unlogged || !t.isQueue() {
		return nil
	}
	return []Finding{{
		Level: Notice,
		What:  t.Name + " is unlogged: a crash of the server empties it",
		Do:    fmt.Sprintf("if its messages matter, when the queue is quiet: ALTER TABLE %s SET LOGGED", t.Name),
	}}
}

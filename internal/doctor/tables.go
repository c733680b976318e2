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
	There       bool
	Partitioned bool
	Unlogged    bool
	Unvacuumed  []string // tables that autovacuum passes over
	Bare        []string // tables without the parameters that are Wanted
	Wanted      *string
	Dead        int64
	Live        int64
	VacuumedAt  *time.Time
	Bytes       int64 // with Rows, as of the last vacuum
	Rows        int64
	ByID        bool // there is an index on msg_id
	ByTime      bool // on archived_at
	ByGroup     bool // on the group
	Invalid     []string
	Needless    []string
	Now         time.Time
}

func (t tableFacts) isQueue() bool { return t.Prefix == "q" }

func queues(ctx context.Context, p *Patient) ([]Finding, error) {
	var err error
	if p.tables, err = facts[tableFacts](ctx, p, tablesSQL); err != nil {
		return nil, err
	}
	n, dead := 0, int64(0)
	for _, t := range p.tables {
		if t.isQueue() {
			n++
		}
		dead += t.Dead
	}
	return []Finding{{Level: OK, What: fmt.Sprintf("%s queue(s), %s dead rows in all", number(int64(n)), number(dead))}}, nil
}

// ofTables is the look at each table that is there, or at all for missing.
func (p *Patient) ofTables(judge func(tableFacts) []Finding) look {
	return func(context.Context, *Patient) ([]Finding, error) {
		var found []Finding
		for _, t := range p.tables {
			for _, f := range judge(t) {
				f.Queue = t.Queue
				found = append(found, f)
			}
		}
		return found, nil
	}
}

// renew is the function that gives a queue the storage of the template.
func (t tableFacts) renew() string { return fmt.Sprintf("SELECT pgmq._apply_storage(%s)", t.Literal) }

func missing(t tableFacts) []Finding {
	if t.There {
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
	if !t.There {
		return nil
	}
	var found []Finding
	if !t.ByID {
		f := Finding{
			Level: Problem,
			What:  t.Name + " has no index on msg_id: every read and every delete goes through the whole table",
			Do:    fmt.Sprintf("ALTER TABLE %s ADD PRIMARY KEY (msg_id)", t.Name),
		}
		if !t.isQueue() {
			f.Level = Warning
			f.What = t.Name + " has no index on msg_id: to list and to replay goes through the whole archive"
		}
		if t.Partitioned {
			f.Do = fmt.Sprintf("CREATE INDEX ON %s (msg_id)", t.Name)
		}
		found = append(found, f)
	}
	if !t.isQueue() && !t.ByTime {
		f := Finding{
			Level: Warning,
			What:  t.Name + " has no index on archived_at: to prune goes through the whole archive",
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
			What:  t.Name + " has no index on groups: pgmq.read_grouped and its kin go through the whole table",
			Do:    fmt.Sprintf("if you read by groups, when it is quiet: SELECT pgmq.create_fifo_index(%s)", t.Literal),
		})
	}
	for _, index := range t.Invalid {
		found = append(found, Finding{
			Level: Warning,
			What:  fmt.Sprintf("index %s is invalid: it is written and never used", index),
			Do:    fmt.Sprintf("REINDEX INDEX CONCURRENTLY %s, or DROP INDEX %[1]s", index),
		})
	}
	for _, index := range t.Needless {
		found = append(found, Finding{
			Level: Warning,
			What:  fmt.Sprintf("index %s makes every read write to every index, and helps nobody", index),
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
			What:  fmt.Sprintf("autovacuum is off for %s: it grows with every message, and gets slow", table),
			Do:    fmt.Sprintf("ALTER TABLE %s RESET (autovacuum_enabled)", table),
		})
	}
	if len(t.Bare) == 0 || t.Wanted == nil {
		return found
	}
	f := Finding{
		Level: Warning,
		What:  fmt.Sprintf("%s lacks storage parameters of the template: vacuum comes late, reads cost more", t.Bare[0]),
		Do:    t.renew(),
	}
	if t.Partitioned {
		f.What = fmt.Sprintf("%d of its partitions, such as %s, lack storage parameters of the template: vacuum comes late, reads cost more", len(t.Bare), t.Bare[0])
		f.Do = fmt.Sprintf("for each of them: ALTER TABLE %s SET (%s)", t.Bare[0], *t.Wanted)
	}
	return append(found, f)
}

const (
	// manyDead rows have autovacuum come, with the parameters of the template, in
	// a queue of half a million messages at most.
	manyDead = 10_000
	// tooManyDead are more than a busy queue leaves between two vacuums.
	tooManyDead = 10_000_000
	// vacuumLate is how long it may take to come.
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
		What:  fmt.Sprintf("%s has %s dead rows beside %s live ones", t.Name, number(t.Dead), number(t.Live)),
		Do:    "VACUUM " + t.Name + "; it helps only when no transaction, slot or standby keeps dead rows",
	}
	if t.VacuumedAt == nil {
		f.What += ", and was never vacuumed"
	} else {
		f.What += fmt.Sprintf(", and was vacuumed %s ago", long(t.Now.Sub(since)))
	}
	return []Finding{f}
}

const (
	// small is what no table is too large for.
	small = 64 * megabyte
	// widest is how much a row can take at most, with the room that reads need:
	// what is longer is stored elsewhere.
	widest = 16 << 10
)

func bloat(t tableFacts) []Finding {
	if t.Bytes < small || t.Bytes/widest < t.Rows {
		return nil
	}
	f := Finding{
		Level: Notice,
		What:  fmt.Sprintf("%s takes %s for %s message(s): it was once longer", t.Name, size(t.Bytes), number(t.Rows)),
		Do:    "new messages fill it again; or, when it is quiet, VACUUM FULL " + t.Name + ", which locks it",
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
		Do:    fmt.Sprintf("if its messages matter, when it is quiet: ALTER TABLE %s SET LOGGED", t.Name),
	}}
}

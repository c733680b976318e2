// Package doctor examines a server and its queues. It finds problems, and says how
// to solve them.
//
// It changes nothing, does not wait long for a lock, and does not count messages.
package doctor

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Level says how bad a finding is.
type Level string

// The levels, from the best to the worst. Unchecked means that a check could not
// be made.
const (
	OK        Level = "ok"
	Notice    Level = "notice"
	Unchecked Level = "unchecked"
	Warning   Level = "warning"
	Problem   Level = "problem"
)

// Levels returns all levels, the best first.
func Levels() []Level { return []Level{OK, Notice, Unchecked, Warning, Problem} }

// Finding is a result of a check. A check without a bad finding has one with the
// level OK.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Queue string `json:"queue,omitempty"` // "" when it is not about one queue
	What  string `json:"what"`
	Do    string `json:"do,omitempty"` // "" when there is nothing to do
}

// Examination examines one database and its server.
type Examination struct {
	pool       *pgxpool.Pool
	openFor    time.Duration // the longest that a transaction may be open
	mayMonitor bool          // the role sees the activity of other roles
	tables     []tableFacts
	locked     map[string]bool // queues whose tables cannot be read now
}

// check is one of the checks of an examination.
type check struct {
	name   string
	okText string // the text of the finding when run returns none
	run    checkFunc
}

// checkFunc returns the findings of a check. They need not name the check.
type checkFunc func(ctx context.Context, e *Examination) ([]Finding, error)

// New returns an examination of the database that pool connects to. The pool
// should not prepare statements, as there may be a pooler in between. The
// examination finds transactions that have been open for openFor or longer.
func New(pool *pgxpool.Pool, openFor time.Duration) *Examination {
	return &Examination{pool: pool, openFor: openFor}
}

// Server examines the server and the connection to it.
func (e *Examination) Server(ctx context.Context) []Finding {
	return e.examine(ctx, []check{
		{"server", "", server},
		{"pooler", "the connection is direct", pooler},
		{"clock", "the clocks of this machine and the server agree", clock},
		{"settings", "durability and autovacuum are on", forEachRow(settingsSQL, setting)},
		{"open_transaction", "no transaction has been open for long", openTransactions},
		{"prepared_transaction", "no prepared transaction has been left unfinished", forEachRow(preparedSQL, preparedTransaction)},
		{"replication_slot", "no replication slot keeps dead rows", forEachRow(slotsSQL, replicationSlot)},
		{"standby_feedback", "no standby keeps dead rows", forEachRow(standbysSQL, standbyFeedback)},
	})
}

// Queues examines the queues. The database must have been migrated.
func (e *Examination) Queues(ctx context.Context) []Finding {
	found := e.examine(ctx, []check{{"queues", "", queues}})
	if found[0].Level == Unchecked {
		return found
	}
	return append(found, e.examine(ctx, []check{
		{"tables", "every queue has its tables", e.forEachTable(missing)},
		{"orphan_table", "every table belongs to a queue", forEachRow(orphansSQL, orphan)},
		{"identity", "every table has a replica identity", forEachRow(identitySQL, identity)},
		{"index", "every queue has the indexes that it needs, and no others", e.forEachTable(indexes)},
		{"storage", "every queue has the template's storage parameters", e.forEachTable(storage)},
		{"dead_rows", "vacuum keeps up", e.forEachTable(deadRows)},
		{"bloat", "no table is much larger than its messages", e.forEachTable(bloat)},
		{"unlogged", "every queue survives a crash", e.forEachTable(unlogged)},
		{"partitions", "no partition is missing", forEachRow(partitionsSQL, partitions)},
		{"locked", "no lock blocks a queue", locks},
		{"messages", "no message is stuck or repeatedly redelivered", messages},
	})...)
}

// examine makes checks, one after the other.
func (e *Examination) examine(ctx context.Context, checks []check) []Finding {
	var all []Finding
	for _, c := range checks {
		found, err := c.run(ctx, e)
		if err != nil {
			found = append(found, CouldNot(err))
		}
		if len(found) == 0 {
			found = []Finding{{Level: OK, What: c.okText}}
		}
		for _, f := range found {
			if f.Check == "" {
				f.Check = c.name
			}
			all = append(all, f)
		}
	}
	return all
}

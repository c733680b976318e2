package doctor

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// These queries find the holders of the xmin horizon. Vacuum removes no row that
// died after the oldest of them began.
var (
	//go:embed sql/activity.sql
	activitySQL string
	//go:embed sql/prepared.sql
	preparedSQL string
	//go:embed sql/slots.sql
	slotsSQL string
	//go:embed sql/standbys.sql
	standbysSQL string
)

const (
	// problemFactor times the allowed duration, a warning becomes a problem.
	problemFactor = 10
	// farBehind is the number of transactions that an xmin may be behind. It counts
	// where the age of the xmin is not known as a time.
	farBehind = 100_000
)

// levelAfter returns the level of a transaction that has been open for d. It is ""
// while d is allowed.
func (e *Examination) levelAfter(d time.Duration) Level {
	switch {
	case d >= problemFactor*e.openFor:
		return Problem
	case d >= e.openFor:
		return Warning
	}
	return ""
}

type activityFacts struct {
	PID         uint32
	Application string
	Role        string
	State       string
	Database    string
	OpenFor     *time.Duration // nil when the role may not see it
}

func openTransactions(ctx context.Context, e *Examination) ([]Finding, error) {
	all, err := facts[activityFacts](ctx, e, activitySQL)
	var found []Finding
	hidden := 0
	for _, a := range all {
		if a.OpenFor == nil {
			if !e.mayMonitor {
				hidden++
			}
			continue
		}
		level := e.levelAfter(*a.OpenFor)
		if level == "" {
			continue
		}
		found = append(found, Finding{
			Level: level,
			What: fmt.Sprintf("process %d (%s) has had a transaction open for %s: vacuum cannot remove rows that died since then",
				a.PID, a.session(), seconds(*a.OpenFor)),
			Do: fmt.Sprintf("end it in its program, or SELECT pg_terminate_backend(%d)", a.PID),
		})
	}
	if hidden > 0 {
		found = append(found, Finding{
			Level: Unchecked,
			What:  fmt.Sprintf("this role cannot see how long %d transaction(s) of other roles have been open", hidden),
			Do:    "GRANT pg_read_all_stats to it, or pg_monitor",
		})
	}
	return found, err
}

// session describes a session: its role, application, database and state.
func (a activityFacts) session() string {
	parts := []string{fmt.Sprintf("role %q", a.Role)}
	if a.Application != "" {
		parts = append(parts, fmt.Sprintf("application %q", a.Application))
	}
	if a.Database != "" {
		parts = append(parts, fmt.Sprintf("database %q", a.Database))
	}
	if a.State != "" {
		parts = append(parts, a.State)
	}
	return strings.Join(parts, ", ")
}

type preparedFacts struct {
	ID       string
	Database string
	OpenFor  time.Duration
	Literal  string // the id for SQL
}

func preparedTransaction(e *Examination, t preparedFacts) []Finding {
	level := e.levelAfter(t.OpenFor)
	if level == "" {
		return nil
	}
	return []Finding{{
		Level: level,
		What: fmt.Sprintf("transaction %q of database %q was prepared %s ago and never finished: it keeps dead rows and its locks",
			t.ID, t.Database, seconds(t.OpenFor)),
		Do: fmt.Sprintf("COMMIT PREPARED %s, or ROLLBACK PREPARED %[1]s, in that database", t.Literal),
	}}
}

type slotFacts struct {
	Name    string
	Active  bool
	Rows    *int64 // the age of its xmin in transactions; nil without one
	Catalog *int64 // the same for its catalog_xmin
	Literal string // the name for SQL
}

func replicationSlot(_ *Examination, s slotFacts) []Finding {
	f := Finding{Do: fmt.Sprintf("restart its client, or SELECT pg_drop_replication_slot(%s)", s.Literal)}
	switch {
	case s.Rows != nil && s.Active:
		if *s.Rows < farBehind {
			return nil
		}
		f.Level = Warning
		f.What = fmt.Sprintf("replication slot %q keeps dead rows for a standby that is %s transactions behind", s.Name, number(*s.Rows))
		f.Do = "end the long query there, or set hot_standby_feedback off on it"
	case s.Rows != nil:
		f.Level = Warning
		if *s.Rows >= farBehind {
			f.Level = Problem
		}
		f.What = fmt.Sprintf("the unused replication slot %q keeps the dead rows of the last %s transactions", s.Name, number(*s.Rows))
	case s.Catalog != nil && !s.Active:
		f.Level = Notice
		if *s.Catalog >= farBehind {
			f.Level = Warning
		}
		f.What = fmt.Sprintf("the unused replication slot %q keeps WAL, and dead rows of the system catalogs", s.Name)
	default:
		return nil
	}
	return []Finding{f}
}

type standbyFacts struct {
	PID    uint32
	Name   string
	Behind int64
}

func standbyFeedback(_ *Examination, s standbyFacts) []Finding {
	if s.Behind < farBehind {
		return nil
	}
	return []Finding{{
		Level: Warning,
		What:  fmt.Sprintf("standby %q (process %d) keeps the dead rows of the last %s transactions", s.Name, s.PID, number(s.Behind)),
		Do:    "end the long query there, or set hot_standby_feedback off on it",
	}}
}

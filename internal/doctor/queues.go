package doctor

import (
	"context"
	_ "embed"
	"fmt"
	"time"
)

var (
	//go:embed sql/orphans.sql
	orphansSQL string
	//go:embed sql/partitions.sql
	partitionsSQL string
	//go:embed sql/locks.sql
	locksSQL string
)

type orphanFacts struct {
	Name        string
	Queue       string // that it would belong to
	Literal     string
	Archive     bool
	Partitioned bool
	Old         bool // archived before the archive was partitioned
}

func orphan(_ *Patient, t orphanFacts) []Finding {
	f := Finding{
		Level: Warning,
		What:  t.Name + " belongs to no queue in pgmq.meta",
		Do:    fmt.Sprintf("SELECT pgmq.create(%s) lists the queue again, with what is in it; or DROP TABLE %s", t.Literal, t.Name),
	}
	switch {
	case t.Old:
		f.Level = Notice
		f.What = t.Name + " holds what was archived before that archive was partitioned"
		f.Do = "DROP TABLE " + t.Name + ", when nobody needs it any more"
	case t.Partitioned:
		f.Do = fmt.Sprintf("INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES (%s, true, false) lists the queue again; or DROP TABLE %s", t.Literal, t.Name)
	}
	return []Finding{f}
}

type partitionFacts struct {
	Queue     string
	Literal   string
	Name      string
	LacksThis bool // the partition that messages go to now
	LacksNext bool
	Waiting   int64 // in the default partition
}

func partitions(_ *Patient, t partitionFacts) []Finding {
	f := Finding{
		Level: Warning,
		Queue: t.Queue,
		Do:    fmt.Sprintf("run pgmq maintain, or CALL pgmq.maintain_partitions(%s), from a scheduler", t.Literal),
	}
	switch {
	case t.LacksThis:
		f.What = t.Name + " has no partition for the messages of now: they pile up in the default one"
	case t.LacksNext:
		f.What = t.Name + " has no partition to come: messages will pile up in the default one"
	case t.Waiting > 0:
		f.What = fmt.Sprintf("%s has about %s message(s) in its default partition", t.Name, number(t.Waiting))
	default:
		return nil
	}
	return []Finding{f}
}

type lockFacts struct {
	activityFacts
	Queue   string
	Archive bool
	Name    string
	Mode    string
	Granted bool
}

// lockedLong is how long a lock may be held before it is worth a word.
const lockedLong = 5 * time.Second

func locks(ctx context.Context, p *Patient) ([]Finding, error) {
	all, err := facts[lockFacts](ctx, p, locksSQL)
	p.shut = map[string]bool{}
	var found []Finding
	for _, l := range all {
		if l.Mode == "AccessExclusiveLock" && !l.Archive {
			p.shut[l.Queue] = true
		}
		if l.OpenFor != nil && *l.OpenFor < lockedLong {
			continue
		}
		found = append(found, l.finding())
	}
	return found, err
}

func (l lockFacts) finding() Finding {
	whom := "senders and consumers"
	if l.Mode == "AccessExclusiveLock" {
		whom = "everybody"
	}
	verb := "keeps"
	if !l.Granted {
		verb = "waits for a lock and keeps"
	}
	f := Finding{
		Level: Warning,
		Queue: l.Queue,
		What:  fmt.Sprintf("process %d (%s) %s %s from %s (%s)", l.PID, l.who(), verb, whom, l.Name, l.Mode),
		Do:    fmt.Sprintf("wait for it, or end it where it runs, or SELECT pg_terminate_backend(%d)", l.PID),
	}
	if l.OpenFor != nil {
		f.What += ", for " + long(*l.OpenFor)
	}
	if l.PID == 0 {
		f.What = fmt.Sprintf("a prepared transaction keeps %s from %s (%s)", whom, l.Name, l.Mode)
		f.Do = "COMMIT PREPARED or ROLLBACK PREPARED it; SELECT * FROM pg_prepared_xacts names it"
	}
	return f
}

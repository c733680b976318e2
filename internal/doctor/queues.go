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
	//go:embed sql/identity.sql
	identitySQL string
)

type orphanFacts struct {
	Name    string
	Queue   string // the queue that its name stands for
	Literal string
	Archive bool
	Old     bool // the archive from before it was partitioned
}

func orphan(_ *Examination, t orphanFacts) []Finding {
	f := Finding{
		Level: Warning,
		What:  t.Name + " belongs to no queue in pgmq.meta",
		Do:    fmt.Sprintf("SELECT pgmq.create(%s) lists the queue again, with its messages; or DROP TABLE %s", t.Literal, t.Name),
	}
	if t.Old {
		f.Level = Notice
		f.What = t.Name + " holds the messages that were archived before the archive was partitioned"
		f.Do = "DROP TABLE " + t.Name + ", when you no longer need it"
	}
	return []Finding{f}
}

type identityFacts struct {
	Name      string
	Literal   string
	Published bool
}

func identity(_ *Examination, t identityFacts) []Finding {
	f := Finding{
		Level: Notice,
		What:  t.Name + " has neither a primary key nor a replica identity: in a publication it could not be read from or deleted from",
		Do:    fmt.Sprintf("SELECT pgmq._set_replica_identity(%s)", t.Literal),
	}
	if t.Published {
		f.Level = Problem
		f.What = t.Name + " is in a publication and has neither a primary key nor a replica identity: reads and deletes fail with 55000"
	}
	return []Finding{f}
}

type partitionFacts struct {
	Queue      string
	Literal    string
	Name       string
	Maintained bool  // it has settings
	LacksThis  bool  // the partition for current messages is missing
	LacksNext  bool  // the next partition is missing
	Waiting    int64 // the number of messages in the default partition
}

func partitions(_ *Examination, t partitionFacts) []Finding {
	f := Finding{
		Level: Warning,
		Queue: t.Queue,
		Do:    fmt.Sprintf("run pgmq maintain, or CALL pgmq.maintain_partitions(%s), from a scheduler", t.Literal),
	}
	switch {
	case !t.Maintained:
		f.What = t.Name + " has no settings in pgmq.partitioned_tables: nobody makes its partitions yet"
		f.Do += "; it takes the table on, and keeps all partitions until pgmq.set_partition_retention says otherwise"
	case t.LacksThis:
		f.What = t.Name + " has no partition for current messages: they pile up in the default partition"
	case t.LacksNext:
		f.What = t.Name + " has no next partition: messages will pile up in the default partition"
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

// maxLocked is the longest that a transaction may hold a lock without a finding.
const maxLocked = 5 * time.Second

func locks(ctx context.Context, e *Examination) ([]Finding, error) {
	all, err := facts[lockFacts](ctx, e, locksSQL)
	e.locked = map[string]bool{}
	var found []Finding
	for _, l := range all {
		if l.Mode == "AccessExclusiveLock" && !l.Archive {
			e.locked[l.Queue] = true
		}
		if l.OpenFor != nil && *l.OpenFor < maxLocked {
			continue
		}
		found = append(found, l.finding())
	}
	return found, err
}

func (l lockFacts) finding() Finding {
	blocked := "sends to and reads from"
	if l.Mode == "AccessExclusiveLock" {
		blocked = "all access to"
	}
	verb := "blocks"
	if !l.Granted {
		verb = "waits for a lock and blocks"
	}
	f := Finding{
		Level: Warning,
		Queue: l.Queue,
		What:  fmt.Sprintf("process %d (%s) %s %s %s (%s)", l.PID, l.session(), verb, blocked, l.Name, l.Mode),
		Do:    fmt.Sprintf("wait for it, or end it in its program, or SELECT pg_terminate_backend(%d)", l.PID),
	}
	if l.OpenFor != nil {
		f.What += ", for " + seconds(*l.OpenFor)
	}
	if l.PID == 0 {
		f.What = fmt.Sprintf("a prepared transaction blocks %s %s (%s)", blocked, l.Name, l.Mode)
		f.Do = "COMMIT PREPARED or ROLLBACK PREPARED it; SELECT * FROM pg_prepared_xacts shows its name"
	}
	return f
}

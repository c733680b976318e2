package generate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Change is the change of one queue. From is nil for a new queue, To is nil for one
// that is no longer declared.
type Change struct{ From, To *Stored }

// Diff returns the changes that turn the queues in from into those in to, ordered by
// name.
func Diff(from, to []Stored) []Change {
	was, is := byKey(from), byKey(to)
	all := maps.Clone(was)
	maps.Copy(all, is)
	var changes []Change
	for _, key := range slices.Sorted(maps.Keys(all)) {
		c := Change{was[key], is[key]}
		if c.From == nil || c.To == nil || len(c.settings()) > 0 {
			changes = append(changes, c)
		}
	}
	return changes
}

func byKey(all []Stored) map[string]*Stored {
	m := map[string]*Stored{}
	for _, s := range all {
		m[s.key()] = &s
	}
	return m
}

// back returns the change that undoes this one.
func (c Change) back() Change { return Change{c.To, c.From} }

// either returns the queue after the change, or before it if it has none after.
func (c Change) either() *Stored { return cmp.Or(c.To, c.From) }

// String describes the change in one line: queue "orders": notify: none -> 250ms.
func (c Change) String() string {
	what := strings.Join(c.settings(), ", ")
	switch {
	case c.From == nil:
		what = "new"
	case c.To == nil:
		what = "no longer declared"
	}
	return fmt.Sprintf("queue %q: %s", c.either().Name, what)
}

// storedSettings are the keys in pgmq.yaml of the settings that Postgres stores.
var storedSettings = []struct {
	key string
	of  func(Stored) string // "" for none
}{
	{"storage", func(s Stored) string { return map[bool]string{false: "logged", true: "unlogged"}[s.Unlogged] }},
	{"partitions.every", func(s Stored) string { return s.Partitions.Every }},
	{"partitions.keep", func(s Stored) string { return s.Partitions.Keep }},
	{"partitions.premake", func(s Stored) string { return strconv.Itoa(s.Partitions.Premake) }},
	{"partitions.drop_unread", func(s Stored) string { return strconv.FormatBool(s.Partitions.DropUnread) }},
	{"notify", func(s Stored) string { return s.Notify }},
	{"topics", func(s Stored) string { return strings.Join(s.Topics, " ") }},
}

// settings lists the settings that differ, for a queue that exists before and after.
func (c Change) settings() []string {
	if c.From == nil || c.To == nil {
		return nil
	}
	var changed []string
	for _, setting := range storedSettings {
		was, is := setting.of(*c.From), setting.of(*c.To)
		if was != is {
			changed = append(changed, fmt.Sprintf("%s: %s -> %s", setting.key, cmp.Or(was, "none"), cmp.Or(is, "none")))
		}
	}
	return changed
}

// steps is the SQL of a change.
type steps struct {
	drop  bool     // the queue is dropped first; all other steps are then risky
	risky []string // may lose messages
	why   string   // the comment above the risky steps
	safe  []string // loses nothing
}

func (c Change) steps() steps {
	switch {
	case c.From == nil:
		return steps{safe: create(*c.To)}
	case c.To == nil:
		return steps{drop: true, why: "To drop the queue, when nothing uses it any more:"}
	case c.replaces():
		return steps{drop: true, risky: create(*c.To), why: "Partitions cannot be changed in place. Declare a queue with another name and let\n" +
			"this one run empty; or drop this one and create it again:"}
	case c.To.Unlogged && !c.From.Unlogged:
		return steps{risky: []string{setStorage(*c.To)}, why: "If a crash of the server may empty the queue from now on:", safe: alter(*c.From, *c.To)}
	case c.From.Unlogged && !c.To.Unlogged:
		return steps{safe: append([]string{setStorage(*c.To)}, alter(*c.From, *c.To)...)}
	}
	return steps{safe: alter(*c.From, *c.To)}
}

// replaces reports whether the change needs to drop the queue and create it again.
func (c Change) replaces() bool {
	return c.From != nil && c.To != nil && c.From.Partitions.Every != c.To.Partitions.Every
}

// Risky reports whether a part of the change is commented out in its migration.
func (c Change) Risky() bool { return c.steps().why != "" }

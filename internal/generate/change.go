package generate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Change is what becomes of one queue. From is nil for a new one, To for one
// that is gone.
type Change struct{ From, To *Stored }

// Diff returns the changes that make the second list of the first, by name.
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

// back is the change that undoes this one.
func (c Change) back() Change { return Change{c.To, c.From} }

// either is the queue as it becomes, or as it was when it goes.
func (c Change) either() *Stored { return cmp.Or(c.To, c.From) }

// String tells the change in a line: queue "orders": notify: none -> 250ms.
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

// storedSettings are the keys in pgmq.yaml of what Postgres stores.
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

// settings lists what is another for a queue that stays.
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
	drop  bool     // the queue goes first, and everything else is risky
	risky []string // may cost messages
	why   string   // tells what is risky, and what to do about it
	safe  []string // costs nothing
}

func (c Change) steps() steps {
	switch {
	case c.From == nil:
		return steps{safe: create(*c.To)}
	case c.To == nil:
		return steps{drop: true, why: "To drop it, when nobody uses it any more:"}
	case c.replaces():
		return steps{drop: true, risky: create(*c.To), why: "Partitions cannot be changed in place. Declare a queue of another name and let\n" +
			"this one run empty; or drop it, and make it anew:"}
	case c.To.Unlogged && !c.From.Unlogged:
		return steps{risky: []string{setStorage(*c.To)}, why: "When a crash of the server may empty the queue from now on:", safe: alter(*c.From, *c.To)}
	case c.From.Unlogged && !c.To.Unlogged:
		return steps{safe: append([]string{setStorage(*c.To)}, alter(*c.From, *c.To)...)}
	}
	return steps{safe: alter(*c.From, *c.To)}
}

// replaces reports whether the queue would have to be made anew.
func (c Change) replaces() bool {
	return c.From != nil && c.To != nil && c.From.Partitions.Every != c.To.Partitions.Every
}

// Risky reports whether something of a change is commented out.
func (c Change) Risky() bool { return c.steps().why != "" }

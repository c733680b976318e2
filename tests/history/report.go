package history

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule is a promise that a history can break.
type Rule string

// The promises.
const (
	LostSend     Rule = "an acknowledged send is lost"
	NeverSent    Rule = "a message was never sent, or is there twice"
	TwoLeases    Rule = "two had the message at once"
	StaleReceipt Rule = "a receipt that had passed to another was accepted"
	SettledAgain Rule = "a settled message came again"
	GroupOrder   Rule = "a message of a group overtook another"
	WrongDeaths  Rule = "a message died too early, too late or not at all"
	Effects      Rule = "the effects and the queue do not agree"
	Stuck        Rule = "a message stayed in the queue"
)

// Rules are all of them.
var Rules = []Rule{LostSend, NeverSent, TwoLeases, StaleReceipt, SettledAgain, GroupOrder, WrongDeaths, Effects, Stuck}

// Violation is a broken promise, and the events that show it.
type Violation struct {
	Rule   Rule
	Queue  string
	ID     int64  // 0 if only the key is known
	Key    string // "" if it is not known
	Why    string
	Events []*Event
}

// String takes several lines: the events with their lines in the file.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: queue %s, message %d", v.Rule, v.Queue, v.ID)
	if v.Key != "" {
		fmt.Fprintf(&b, " (%s)", v.Key)
	}
	fmt.Fprintf(&b, ": %s", v.Why)
	for _, e := range v.Events {
		text, _ := json.Marshal(e)
		fmt.Fprintf(&b, "\n  line %d: %s", e.Line, text)
	}
	return b.String()
}

// Report has the findings of Check.
type Report struct {
	Violations []Violation
	// Judged counts the events that each rule looked at: 0 says that the history
	// could not have broken it.
	Judged map[Rule]int
	// AtRisk counts the messages that were acknowledged in a time of Loss, and Lost
	// those of them that are not there. LossTime is the longest such time.
	AtRisk, Lost int
	LossTime     time.Duration
}

// Broken returns the rules with violations, in a fixed order.
func (r Report) Broken() []Rule {
	var rules []Rule
	for _, v := range r.Violations {
		rules = append(rules, v.Rule)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// sorted puts violations into the order of the file.
func (r *Report) sorted() {
	first := func(v Violation) int {
		if len(v.Events) == 0 {
			return 0
		}
		return v.Events[0].Line
	}
	slices.SortStableFunc(r.Violations, func(a, b Violation) int { return cmp.Compare(first(a), first(b)) })
}

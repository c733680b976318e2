package history

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// script makes a history by hand: times are milliseconds, of both clocks.
type script struct{ events []*Event }

func at(ms int64) time.Time { return time.UnixMilli(1_000_000 + ms).UTC() }

func (s *script) add(e Event) *Event {
	if e.Queue == "" {
		e.Queue = "q"
	}
	if e.Proc == "" {
		e.Proc = "a"
	}
	if e.End == 0 {
		e.End = e.Begin
	}
	e.Begin, e.End = e.Begin*1e6, e.End*1e6
	e.Line = len(s.events) + 1
	s.events = append(s.events, &e)
	return &e
}

func (s *script) send(ms, id int64, key string) *Event {
	return s.add(Event{Op: Send, Begin: ms, End: ms + 1, Outcome: OK, Keys: []string{key}, IDs: []int64{id}})
}

// deliver is a read with a VT of a second.
func (s *script) deliver(ms, id int64, key string, reads int) *Event {
	return s.add(Event{
		Op: Deliver, Begin: ms, End: ms + 1, ID: id, Key: key, Reads: reads, How: ByRead, Read: ms, Lease: at(ms), Until: at(ms + 1000), VT: time.Second,
	})
}

// then is something done with a receipt.
func (s *script) then(op Op, ms int64, d *Event) *Event {
	e := s.add(Event{Op: op, Begin: ms, End: ms + 1, Outcome: OK, Proc: d.Proc, Queue: d.Queue, ID: d.ID, Key: d.Key, Reads: d.Reads, Lease: d.Lease, How: d.How, Max: d.Max})
	if op == Settle {
		e.How = Deleted
	}
	return e
}

func (s *script) row(place string, id int64, key string) *Event {
	return s.add(Event{Op: Census, Begin: 9000, How: place, ID: id, Key: key})
}

// check ends the history, carries it through its file, and returns the broken rules.
func (s *script) check(t *testing.T) []Rule {
	t.Helper()
	s.add(Event{Op: End, Begin: 9999, Outcome: OK})
	var file bytes.Buffer
	for _, e := range s.events {
		if err := json.NewEncoder(&file).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	events, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(events)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range report.Violations {
		if len(v.Events) == 0 || v.Events[0].Line == 0 {
			t.Errorf("no event is named: %v", v)
		}
		t.Log(v)
	}
	return report.Broken()
}

// Each rule, broken by one small history, and a history beside it that keeps it.
func TestEachRuleIsBrokenByWhatBreaksItAndByNothingElse(t *testing.T) {
	t.Parallel()
	for what, one := range map[string]struct {
		happens func(*script)
		broken  []Rule
	}{
		"sent, read, deleted": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.deliver(10, 1, "k", 1))
		}, nil},
		"sent and nowhere": {func(s *script) { s.send(0, 1, "k") }, []Rule{LostSend}},
		"read and nowhere": {func(s *script) {
			s.send(0, 1, "k")
			s.deliver(10, 1, "k", 1)
		}, []Rule{LostSend}},
		"read, perhaps deleted, and nowhere": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.deliver(10, 1, "k", 1)).Outcome = Unknown
		}, nil},
		"perhaps sent, and nowhere": {func(s *script) { s.send(0, 1, "k").Outcome = Unknown }, nil},
		"archived and not there": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.deliver(10, 1, "k", 1)).How = Archived
		}, []Rule{LostSend}},
		"never sent": {func(s *script) { s.then(Settle, 20, s.deliver(10, 1, "k", 1)) }, []Rule{NeverSent}},
		"its send failed": {func(s *script) {
			s.send(0, 1, "k").Outcome = Failed
			s.then(Settle, 20, s.deliver(10, 1, "k", 1))
		}, []Rule{NeverSent}},
		"there twice": {func(s *script) {
			s.send(0, 1, "k").Outcome = Unknown
			s.then(Settle, 20, s.deliver(10, 1, "k", 1))
			s.then(Settle, 40, s.deliver(30, 2, "k", 1))
		}, []Rule{NeverSent, StaleReceipt, SettledAgain, TwoLeases}},
		"one id for two": {func(s *script) {
			s.send(0, 1, "k")
			s.send(0, 1, "l")
			s.then(Settle, 20, s.deliver(10, 1, "k", 1))
			s.then(Settle, 20, s.deliver(10, 1, "l", 1))
		}, []Rule{NeverSent}},
		"two leases": {func(s *script) {
			s.send(0, 1, "k")
			s.deliver(10, 1, "k", 1)
			s.then(Settle, 1020, s.deliver(1009, 1, "k", 2))
		}, []Rule{TwoLeases}},
		"one lease after the other": {func(s *script) {
			s.send(0, 1, "k")
			s.deliver(10, 1, "k", 1)
			s.then(Settle, 1020, s.deliver(1010, 1, "k", 2))
		}, nil},
		"given back, and read again": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Extend, 20, s.deliver(10, 1, "k", 1)).Until = at(20)
			s.then(Settle, 40, s.deliver(30, 1, "k", 2))
		}, nil},
		"given back uncounted, and read again": {func(s *script) {
			s.send(0, 1, "k")
			first := s.deliver(10, 1, "k", 1)
			first.How = ByConsume
			s.then(Retry, 20, first).How = Uncounted
			s.then(Settle, 40, s.deliver(30, 1, "k", 1))
		}, nil},
		"given back counted, and its reads did not rise": {func(s *script) {
			s.send(0, 1, "k")
			first := s.deliver(10, 1, "k", 1)
			first.How = ByConsume
			s.then(Retry, 20, first).How = ""
			s.then(Settle, 40, s.deliver(30, 1, "k", 1))
		}, []Rule{TwoLeases}},
		"the first lease began earlier than it seems": {func(s *script) {
			s.send(0, 1, "k")
			first := s.deliver(10, 1, "k", 1)
			first.How, first.Spread = ByConsume, 50*time.Millisecond
			first.Lease, first.Until = at(45), at(1045)
			s.then(Retry, 20, first).How = ""
			s.then(Settle, 40, s.deliver(30, 1, "k", 2))
		}, nil},
		"extended, and read before that is over": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Extend, 500, s.deliver(10, 1, "k", 1)).Until = at(1500)
			s.then(Settle, 1300, s.deliver(1200, 1, "k", 2))
		}, []Rule{TwoLeases}},
		"perhaps given back, and read again": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Extend, 20, s.deliver(10, 1, "k", 1)).Outcome = Unknown
			s.then(Settle, 40, s.deliver(30, 1, "k", 2))
		}, nil},
		"two handlers at once": {func(s *script) {
			s.send(0, 1, "k")
			first := s.deliver(10, 1, "k", 1)
			first.How = ByConsume
			s.then(Settle, 1600, s.deliver(1500, 1, "k", 2))
			s.then(Handled, 1900, first)
		}, []Rule{TwoLeases}},
		"two handlers at once, the first was told": {func(s *script) {
			s.send(0, 1, "k")
			first := s.deliver(10, 1, "k", 1)
			first.How = ByConsume
			s.then(Settle, 1600, s.deliver(1500, 1, "k", 2))
			s.then(Handled, 1900, first).Lost = 1000 * 1e6
		}, nil},
		"two handlers at once, the first was stopped": {func(s *script) {
			s.send(0, 1, "k")
			first := s.deliver(10, 1, "k", 1)
			first.How = ByConsume
			s.then(Settle, 1600, s.deliver(1500, 1, "k", 2))
			s.then(Handled, 1900, first)
			s.add(Event{Op: Pause, Begin: 800, End: 1890})
		}, nil},
		"settled by an old receipt": {func(s *script) {
			s.send(0, 1, "k")
			old := s.deliver(10, 1, "k", 1)
			s.deliver(1010, 1, "k", 2)
			s.then(Settle, 1020, old)
		}, []Rule{StaleReceipt}},
		"extended by an old receipt": {func(s *script) {
			s.send(0, 1, "k")
			old := s.deliver(10, 1, "k", 1)
			s.then(Settle, 1050, s.deliver(1010, 1, "k", 2))
			s.then(Extend, 1020, old).Until = at(3000)
		}, []Rule{StaleReceipt, TwoLeases}},
		"settled twice": {func(s *script) {
			s.send(0, 1, "k")
			d := s.deliver(10, 1, "k", 1)
			s.then(Settle, 20, d)
			s.then(Settle, 30, d)
		}, []Rule{StaleReceipt}},
		"settled, and delivered again": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.deliver(10, 1, "k", 1))
			s.deliver(1010, 1, "k", 2)
		}, []Rule{SettledAgain}},
		"deleted, and in the archive": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.deliver(10, 1, "k", 1))
			s.row(InArchive, 1, "k")
		}, []Rule{SettledAgain}},
		"still in the queue": {func(s *script) {
			s.send(0, 1, "k")
			s.row(InQueue, 1, "k")
		}, []Rule{Stuck}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := &script{}
			one.happens(s)
			slices.Sort(one.broken)
			if broken := s.check(t); !slices.Equal(broken, one.broken) {
				t.Errorf("broken are %q, not %q", broken, one.broken)
			}
		})
	}
}

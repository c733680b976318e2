package history

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// group is a delivery by a read in the order of groups.
func (s *script) group(ms, id int64, key string, read int64, place int) *Event {
	d := s.deliver(ms, id, key, 1)
	d.How, d.Read, d.Place = ByGroup, read, place
	return d
}

// poison is a delivery to a handler that fails, of a message that may fail twice.
func (s *script) poison(ms, reads int64) *Event {
	d := s.deliver(ms, 1, "k", int(reads))
	d.How, d.Max = ByConsume, 2
	s.then(Handled, ms+2, d).Outcome = Failed
	return d
}

// inTx is a delivery to a handler with a transaction that worked.
func (s *script) inTx(ms int64) *Event {
	d := s.deliver(ms, 1, "k", 1)
	d.How = ByTx
	s.then(Handled, ms+2, d)
	return d
}

// Groups, dead letters, effects, and the losses that a failover may cause.
func TestEachRuleOfApplicationsIsBrokenByWhatBreaksIt(t *testing.T) {
	t.Parallel()
	inGroup := func(s *script) {
		s.send(0, 1, "k").Group = "g"
		s.send(2, 2, "l").Group = "g"
	}
	dead := func(s *script, reads int) { s.row(InDead, 1, "k").Reads = reads }
	for what, one := range map[string]struct {
		happens func(*script)
		broken  []Rule
	}{
		"one after the other": {func(s *script) {
			inGroup(s)
			s.then(Settle, 20, s.group(10, 1, "k", 1, 0))
			s.then(Settle, 40, s.group(30, 2, "l", 2, 0))
		}, nil},
		"one read returned both": {func(s *script) {
			inGroup(s)
			first, second := s.group(10, 1, "k", 1, 0), s.group(10, 2, "l", 1, 1)
			s.then(Settle, 30, second)
			s.then(Settle, 40, first)
		}, nil},
		"one read returned both, the wrong way round": {func(s *script) {
			inGroup(s)
			s.then(Settle, 30, s.group(10, 1, "k", 1, 1))
			s.then(Settle, 40, s.group(10, 2, "l", 1, 0))
		}, []Rule{GroupOrder}},
		"the second was read before the first was settled": {func(s *script) {
			inGroup(s)
			s.then(Settle, 50, s.group(10, 1, "k", 1, 0))
			s.then(Settle, 60, s.group(30, 2, "l", 2, 0))
		}, []Rule{GroupOrder}},
		"the second was read while the first was being settled": {func(s *script) {
			inGroup(s)
			s.then(Settle, 30, s.group(10, 1, "k", 1, 0)).End = 90 * 1e6
			s.then(Settle, 60, s.group(31, 2, "l", 2, 0))
		}, nil},

		"dead after two failures": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Retry, 20, s.poison(10, 1))
			s.then(Settle, 40, s.poison(30, 2)).How = DeadLettered
			dead(s, 2)
		}, nil},
		"dead after one": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.poison(10, 1)).How = DeadLettered
			dead(s, 1)
		}, []Rule{WrongDeaths}},
		"dead after three": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Retry, 20, s.poison(10, 1))
			s.then(Retry, 40, s.poison(30, 2))
			s.then(Settle, 60, s.poison(50, 3)).How = DeadLettered
			dead(s, 3)
		}, []Rule{WrongDeaths}},
		"failed twice, and not dead": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Retry, 20, s.poison(10, 1))
			s.then(Settle, 40, s.poison(30, 2)).Outcome = Unknown
		}, []Rule{WrongDeaths}},
		"a read was counted that nobody saw": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.poison(10, 2)).How = DeadLettered
			dead(s, 2)
		}, []Rule{WrongDeaths}},
		"a read was counted whose process died": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 1020, s.poison(1010, 2)).How = DeadLettered
			dead(s, 2)
		}, nil},

		"settled with its effect": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.inTx(10))
			s.row(AsEffect, 1, "k")
		}, nil},
		"settled without its effect": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.inTx(10))
		}, []Rule{Effects}},
		"two effects": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.inTx(10))
			s.row(AsEffect, 1, "k")
			s.row(AsEffect, 1, "k")
		}, []Rule{Effects}},
		"an effect, and still there": {func(s *script) {
			s.send(0, 1, "k")
			s.then(Settle, 20, s.inTx(10)).Outcome = Unknown
			s.row(AsEffect, 1, "k")
			s.row(InArchive, 1, "k")
		}, []Rule{Effects}},
		"there without what was written with its send": {func(s *script) {
			s.send(0, 1, "k").How = WithOrder
			s.then(Settle, 20, s.deliver(10, 1, "k", 1))
		}, []Rule{Effects}},
		"nowhere, with what was written with its send": {func(s *script) {
			sent := s.send(0, 1, "k")
			sent.How, sent.Outcome = WithOrder, Unknown
			s.row(AsOrder, 0, "k")
		}, []Rule{LostSend}},

		"lost in a failover": {func(s *script) {
			s.send(5, 1, "k")
			s.then(Settle, 15, s.deliver(12, 1, "k", 1))
			s.send(7, 2, "l")
			s.add(Event{Op: Loss, Begin: 2, End: 100, Lease: at(2), Until: at(100)})
			s.deliver(200, 1, "k", 1)
			s.then(Settle, 210, s.deliver(205, 1, "k", 2))
		}, []Rule{TwoLeases}}, // the two after it
		"lost before a failover": {func(s *script) {
			s.send(0, 1, "k")
			s.add(Event{Op: Loss, Begin: 2, End: 100, Lease: at(2), Until: at(100)})
		}, []Rule{LostSend}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := &script{}
			one.happens(s)
			if broken := s.check(t); !slices.Equal(broken, one.broken) {
				t.Errorf("broken are %q, not %q", broken, one.broken)
			}
		})
	}
}

func TestAnOperationWhoseEndIsMissingIsUnknown(t *testing.T) {
	t.Parallel()
	events, err := Read(strings.NewReader(`{"op":"send","proc":"a","n":1,"begin":1,"outcome":"unknown","queue":"q","keys":["k"]}
{"op":"send","proc":"b","n":1,"begin":2,"outcome":"unknown","queue":"q","keys":["l"]}
{"op":"send","proc":"b","n":1,"begin":2,"end":3,"outcome":"ok","queue":"q","keys":["l"],"ids":[1]}
{"op":"end","proc":"a","begin":9,"end":9,"outcome":"ok"}
`))
	if err != nil || len(events) != 3 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	report, err := Check(events)
	if err != nil || len(report.Violations) != 1 {
		t.Fatalf("%v, %v", report.Violations, err)
	}
	if v := report.Violations[0]; v.Rule != LostSend || v.Key != "l" || v.Events[0].Line != 3 {
		t.Errorf("got %v", v)
	}
}

func TestAHistoryThatIsCutOffIsNotJudged(t *testing.T) {
	t.Parallel()
	s := &script{}
	s.send(0, 1, "k")
	if _, err := Check(s.events); err == nil {
		t.Error("it was judged")
	}
	if _, err := Read(strings.NewReader("{\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("half a line: %v", err)
	}
}

// BenchmarkCheck checks a million events.
func BenchmarkCheck(b *testing.B) {
	s := &script{}
	for i := range int64(250_000) {
		key := strconv.FormatInt(i, 10)
		s.send(i, i+1, key)
		d := s.deliver(i+1, i+1, key, 1)
		s.then(Handled, i+2, d)
		s.then(Settle, i+3, d)
	}
	s.add(Event{Op: End, Begin: 1 << 40, Outcome: OK})
	for b.Loop() {
		if _, err := Check(s.events); err != nil {
			b.Fatal(err)
		}
	}
}

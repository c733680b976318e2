package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

// made returns a record of two systems in one variant, round by round.
func made(cell, variant string, m metric, ours, other []float64, name string) *record {
	r := &record{Cell: cell}
	for round := range ours {
		r.Results = append(r.Results,
			result{Variant: variant, Round: round, System: "ours", Values: values{m: ours[round]}},
			result{Variant: variant, Round: round, System: name, Values: values{m: other[round]}})
	}
	return r
}

func TestMedianIsTheMiddleOne(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		all  []float64
		want float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 100, 1, 2}, 3},
	} {
		if got, ok := median(one.all); !ok || got != one.want {
			t.Errorf("median of %v is %v, not %v", one.all, got, one.want)
		}
	}
	if _, ok := median(nil); ok {
		t.Error("nothing has a median")
	}
}

// A ratio within a round in which the machine was slow is still valid. A ratio of
// medians would mix rounds.
func TestRatiosAreTakenRoundByRound(t *testing.T) {
	t.Parallel()
	r := made("a", "64", rate, []float64{800, 80, 900}, []float64{100, 10, 300}, "bare")
	got, ok := r.ratio(quantity{"64", "ours", rate}, quantity{"64", "bare", rate})
	if !ok || got != 8 {
		t.Errorf("the ratio is %v", got)
	}
}

func TestARoundThatFailedIsNotCounted(t *testing.T) {
	t.Parallel()
	r := made("a", "64", rate, []float64{800, 1}, []float64{100, 100}, "bare")
	r.Results[2].Failure = "cut off"
	if got, _ := r.median("64", "ours", rate); got != 800 {
		t.Errorf("the median is %v", got)
	}
	if got, _ := r.ratio(quantity{"64", "ours", rate}, quantity{"64", "bare", rate}); got != 8 {
		t.Errorf("the ratio is %v", got)
	}
	var report strings.Builder
	writeReport(&report, []*record{r}, nil)
	if !strings.Contains(report.String(), "Failed: ours, 64, round 2: cut off") {
		t.Errorf("the report does not name the failure:\n%s", report.String())
	}
}

func TestGoalsAreReachedOrNot(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name string
		r    *record
		want string
	}{
		{"at least", made("a", "64", rate, []float64{800}, []float64{100}, "bare"), "≥ 8.00 | 8.00 | reached"},
		{"less", made("a", "64", rate, []float64{799}, []float64{100}, "bare"), "≥ 8.00 | 7.99 | not reached"},
		{"at most", made("a", "1", rate, []float64{100}, []float64{110}, "bare"), "≤ 1.10 | 1.10 | reached"},
		{"more", made("a", "1", rate, []float64{100}, []float64{120}, "bare"), "≤ 1.10 | 1.20 | not reached"},
		{"never recovered", made("e", "1/s", afterRate, []float64{1}, []float64{1}, "bare"), "≤ 10.0 | never | not reached"},
		{"nothing", &record{Cell: "a"}, "≥ 8.00 | – | not measured"},
	} {
		var table strings.Builder
		writeGoals(&table, []*record{one.r})
		if !strings.Contains(table.String(), one.want) {
			t.Errorf("%s: no %q in\n%s", one.name, one.want, table.String())
		}
	}
}

func TestRecoveryIsThreeGoodSecondsOnEnd(t *testing.T) {
	t.Parallel()
	good, slow, few := second{Rate: 100, P99: 5}, second{Rate: 100, P99: 11}, second{Rate: 90, P99: 5}
	for _, one := range []struct {
		after []second
		want  float64
	}{
		{[]second{good, good, good}, 0},
		{[]second{slow, good, good, few, good, good, good}, 4},
		{[]second{good, good, slow}, math.NaN()},
	} {
		got, ok := recovered(one.after, 100, 5)
		if ok != !math.IsNaN(one.want) || ok && got != one.want {
			t.Errorf("%v: %v, %v", one.after, got, ok)
		}
	}
}

func TestLedgerMissesWhatNeverCameAndFindsWhatCameTwice(t *testing.T) {
	t.Parallel()
	l := newLedger(newFiller(1, 100))
	bodies := l.take(3)
	l.handle(bodies[0])
	l.handle(bodies[2])
	if l.check(false) != nil {
		t.Error("nothing came twice")
	}
	if l.check(true) == nil {
		t.Error("one never came")
	}
	l.handle(bodies[1])
	if err := l.check(true); err != nil {
		t.Error(err)
	}
	l.handle(bodies[1])
	if l.check(false) == nil {
		t.Error("one came twice")
	}
}

func TestLatencyIsThatOfTheSecondInWhichAMessageCame(t *testing.T) {
	t.Parallel()
	line := &timeline{start: time.Now()}
	line.add(line.start.Add(100*time.Millisecond), time.Millisecond)
	line.add(line.start.Add(1100*time.Millisecond), 3*time.Millisecond)
	if n := line.between(0, 1).TotalCount(); n != 1 {
		t.Errorf("%d messages in the first second", n)
	}
	if p := milliseconds(line.between(1, 5), 99); math.Abs(p-3) > 0.01 {
		t.Errorf("p99 of the second second is %v ms", p)
	}
}

func TestEachSystemIsFirstInItsTurn(t *testing.T) {
	t.Parallel()
	p := &plan{systems: []*system{pgmqGo, bareTable, riverQueue}, rounds: 3, form: tiny}
	first := map[string]bool{}
	for i, s := range p.steps(sends) {
		if i%3 == 0 && i < 9 {
			first[s.system.name] = true
		}
	}
	if len(first) != 3 {
		t.Errorf("first were %v", first)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/tests/history"
)

func TestCellsAreChosenByTheirNames(t *testing.T) {
	t.Parallel()
	all, err := choose("", "")
	if err != nil || len(all) != len(cells()) {
		t.Errorf("%d cells of %d, %v", len(all), len(cells()), err)
	}
	some, err := choose("cut, kill", "")
	if err != nil || len(some) != 2 || some[0].name != "cut" {
		t.Errorf("%d cells, %v", len(some), err)
	}
	most, err := choose("", "clock")
	if err != nil || len(most) != len(all)-1 {
		t.Errorf("%d cells of %d, %v", len(most), len(all), err)
	}
	if _, err := choose("cut,kil", ""); err == nil {
		t.Error("a cell that is not there was found")
	}
}

func TestAReportReplacesTheTableAndNothingElse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "reliability.md")
	if err := os.WriteFile(file, []byte("before\n"+reportBegin+"old\n"+reportEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options{seed: 7, duration: time.Minute, without: "clock", report: file}
	lossy := history.Report{AtRisk: 9, Lost: 4, LossTime: time.Second}
	results := []result{{cell: &cell{name: "cut"}, Measures: history.Measures{Operations: 1234}}, {cell: &cell{name: "async"}, report: lossy}}
	if err := o.writeReport(t.Context(), results); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"before\n" + reportBegin, reportEnd + "after\n", "| cut | 1234 | 0 | 0 |", "lost 4 of the 9 messages",
		"`go -C tests run ./chaos -seed 7 -duration 1m0s -without \"clock\"`, commit ",
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Error("the old table is still there")
	}
}

func TestABrokenHistoryFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "history.jsonl")
	const sound = `{"op":"end","proc":"a","begin":9,"end":9,"outcome":"ok"}` + "\n"
	const lost = `{"op":"send","proc":"a","begin":1,"end":2,"outcome":"ok","queue":"q","keys":["k"],"ids":[1]}` + "\n"
	for text, fails := range map[string]bool{sound: false, lost + sound: true, lost: true} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := recheck(file); (err != nil) != fails {
			t.Errorf("%s: %v", text, err)
		}
	}
}

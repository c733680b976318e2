package quakes

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func week(t testing.TB) []Quake {
	t.Helper()
	quakes, err := Week()
	if err != nil {
		t.Fatal(err)
	}
	return quakes
}

func TestWeek(t *testing.T) {
	quakes := week(t)
	if len(quakes) != 1707 {
		t.Fatalf("got %d quakes, want 1707", len(quakes))
	}
	first, last := quakes[0].Time(), quakes[len(quakes)-1].Time()
	if got, want := first.Format(time.RFC3339Nano), "2018-01-31T01:49:59.65Z"; got != want {
		t.Errorf("the week begins %s, want %s", got, want)
	}
	if got, want := last.Format(time.RFC3339Nano), "2018-02-07T01:26:13.84Z"; got != want {
		t.Errorf("the week ends %s, want %s", got, want)
	}
	ids := make(map[string]bool)
	for i, q := range quakes {
		if ids[q.ID] {
			t.Errorf("%s is there twice", q.ID)
		}
		ids[q.ID] = true
		if i > 0 && q.TimeMS < quakes[i-1].TimeMS {
			t.Errorf("%s is out of order", q.ID)
		}
	}
}

// Each line must come back with the same fields and values, null included.
func TestDecodeWithoutLoss(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(JSONL(), "\n"), "\n")
	quakes := week(t)
	if len(lines) != len(quakes) {
		t.Fatalf("%d lines, %d quakes", len(lines), len(quakes))
	}
	for i, line := range lines {
		again, err := json.Marshal(quakes[i])
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]any
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("line %d\n got %s\nwant %s", i+1, again, line)
		}
	}
}

func TestReadMistake(t *testing.T) {
	quakes, err := Read(strings.NewReader(`{"id":"a"}` + "\n" + `{"id":7}`))
	if err == nil || !strings.Contains(err.Error(), "quake 2") {
		t.Errorf("got error %v, want one about quake 2", err)
	}
	if len(quakes) != 1 || quakes[0].ID != "a" {
		t.Errorf("got %v, want the quake before the mistake", quakes)
	}
}

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCellsAreChosenByLetterOrName(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		list string
		want []*cell
	}{
		{"f", []*cell{payloads}},
		{"large", []*cell{payloads}},
		{"drain,a", []*cell{drains, sends}},
		{"", cells},
		{"none", nil},
	} {
		if got, err := cellsOf(one.list); err != nil || !slices.Equal(got, one.want) {
			t.Errorf("%q chooses %v, %v", one.list, got, err)
		}
	}
	if _, err := cellsOf("a,x"); err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), "f (large)") {
		t.Errorf("an unknown cell is reported as %v", err)
	}
}

func TestEveryCellHasItsLetterAndItsName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"": true, "none": true}
	for _, c := range cells {
		for _, key := range []string{c.id, c.name} {
			if seen[key] {
				t.Errorf("%q is taken", key)
			}
			seen[key] = true
		}
	}
}

// The page, the committed charts and the charts that a run draws are the same.
func TestThePageShowsEveryChart(t *testing.T) {
	t.Parallel()
	var records []*record
	for _, c := range cells {
		r := &record{Cell: c.id}
		for _, v := range c.variants(shortForm) {
			r.Results = append(r.Results, result{Variant: v.name, X: v.x, System: "ours"})
		}
		records = append(records, r)
	}
	var drawn, committed, shown []string
	for _, f := range figures(records) {
		drawn = append(drawn, f.name+".svg")
	}
	files, err := filepath.Glob("../docs/performance/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		committed = append(committed, filepath.Base(file))
	}
	page, err := os.ReadFile("../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range regexp.MustCompile(`\]\(performance/([^)]+)\)`).FindAllSubmatch(page, -1) {
		shown = append(shown, string(image[1]))
	}
	for _, names := range []*[]string{&drawn, &committed, &shown} {
		slices.Sort(*names)
	}
	if !slices.Equal(drawn, shown) || !slices.Equal(committed, shown) {
		t.Errorf("the page shows %v; a run draws %v; committed are %v", shown, drawn, committed)
	}
	for _, c := range cells {
		if heading := "### (" + c.id + ") " + c.title + "\n"; !strings.Contains(string(page), heading) {
			t.Errorf("the page has no heading %q", heading)
		}
	}
}

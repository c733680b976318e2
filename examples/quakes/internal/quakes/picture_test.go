package quakes

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

func pictures() map[string]func([]Quake, Style) string {
	return map[string]func([]Quake, Style) string{
		"map": Map, "magnitudes": Magnitudes, "hours": Hours,
	}
}

func TestGolden(t *testing.T) {
	for name, draw := range pictures() {
		t.Run(name, func(t *testing.T) {
			got := draw(week(t), Style{Width: 80})
			path := filepath.Join("testdata", name+"80.txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("differs from %s; go test -update if that is meant\n%s", path, got)
			}
		})
	}
}

// checkPicture holds for every picture of any quakes: it is text in lines no
// wider than asked for, colour changes nothing but the colour, and plain text
// has no escape byte.
func checkPicture(t *testing.T, draw func([]Quake, Style) string, quakes []Quake, width int) {
	t.Helper()
	limit := Style{Width: width}.width()
	plain := draw(quakes, Style{Width: width})
	if strings.ContainsRune(plain, '\x1b') {
		t.Errorf("escape byte without colour:\n%q", plain)
	}
	if !utf8.ValidString(plain) || !strings.HasSuffix(plain, "\n") {
		t.Errorf("not lines of text:\n%q", plain)
	}
	for line := range strings.Lines(plain) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > limit {
			t.Errorf("%d columns, more than %d: %s", n, limit, line)
		}
	}
	colored := draw(quakes, Style{Width: width, Color: true})
	if got := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(colored, ""); got != plain {
		t.Errorf("colour changes the text:\n%s\n%s", got, plain)
	}
}

func weirdQuakes() []Quake {
	nan, inf := math.NaN(), math.Inf(1)
	same := Quake{Magnitude: 5, Longitude: 10, Latitude: 10}
	return []Quake{
		{},
		same, same,
		{Magnitude: 6, Longitude: nan, Latitude: 10},
		{Magnitude: 6, Longitude: 10, Latitude: -inf},
		{Magnitude: 6, Longitude: 1e300, Latitude: 10},
		{Magnitude: 6, Longitude: 10, Latitude: 90.1},
		{Magnitude: nan},
		{Magnitude: inf},
		{Magnitude: -inf},
		{Magnitude: -3, Longitude: 180, Latitude: 90},
		{Magnitude: 12, Longitude: -180, Latitude: -90},
		{Magnitude: math.MaxFloat64, Longitude: 359.99, Latitude: 1, TimeMS: math.MaxInt64},
		{Magnitude: 1, Longitude: -200, Latitude: 1, TimeMS: math.MinInt64},
		{Magnitude: 1, Longitude: westEdge - 1e-14, Place: "\x1b[31m\xff\n" + strings.Repeat("far ", 99)},
	}
}

func TestAnyWidth(t *testing.T) {
	for name, draw := range pictures() {
		t.Run(name, func(t *testing.T) {
			for _, quakes := range [][]Quake{nil, week(t), weirdQuakes(), weirdQuakes()[:1]} {
				for _, width := range []int{math.MinInt, 0, 60, 61, 62, 63, 79, 100, 119, 120, math.MaxInt} {
					checkPicture(t, draw, quakes, width)
				}
			}
		})
	}
}

func TestSkippedAreCounted(t *testing.T) {
	quakes := weirdQuakes()
	if got, want := Map(quakes, Style{}), "not shown: 7 without"; !strings.Contains(got, want) {
		t.Errorf("want %q in\n%s", want, got)
	}
	if got, want := Magnitudes(quakes, Style{}), "not shown: 3 without"; !strings.Contains(got, want) {
		t.Errorf("want %q in\n%s", want, got)
	}
	if got := Map(week(t), Style{}); strings.Contains(got, "not shown") {
		t.Errorf("skips some of the week:\n%s", got)
	}
}

func TestStrongestIsOnTop(t *testing.T) {
	weak, big := Quake{Magnitude: 1, Longitude: 200}, Quake{Magnitude: 7, Longitude: -160}
	for _, quakes := range [][]Quake{{weak, big}, {big, weak}} {
		drawing, _, _ := strings.Cut(Map(quakes, Style{}), "magnitude")
		if strings.Count(drawing, "●") != 1 || strings.Contains(drawing, "∘") {
			t.Errorf("want the strong quake alone:\n%s", drawing)
		}
	}
}

// A bar ends at the eighth nearest to the truth.
func TestBar(t *testing.T) {
	for _, test := range []struct {
		n, most, width int
		want           string
	}{
		{0, 100, 10, ""},
		{0, 0, 10, ""},
		{1, 100000, 10, "▏"},
		{50, 100, 10, "█████"},
		{55, 100, 10, "█████▌"},
		{99, 100, 1, "█"},
		{7, 8, 1, "▉"},
		{100, 100, 3, "███"},
	} {
		if got := bar(test.n, test.most, test.width); got != test.want {
			t.Errorf("bar(%d, %d, %d) = %q, want %q", test.n, test.most, test.width, got, test.want)
		}
	}
}

func FuzzPictures(f *testing.F) {
	for _, q := range weirdQuakes() {
		f.Add(q.Longitude, q.Latitude, q.Magnitude, q.TimeMS, q.Place, 80)
	}
	f.Fuzz(func(t *testing.T, longitude, latitude, magnitude float64, ms int64, place string, width int) {
		quakes := []Quake{
			{Magnitude: 3, Longitude: 20, Latitude: -20},
			{Magnitude: magnitude, Longitude: longitude, Latitude: latitude, TimeMS: ms, Place: place},
		}
		for _, draw := range pictures() {
			checkPicture(t, draw, quakes, width)
		}
	})
}

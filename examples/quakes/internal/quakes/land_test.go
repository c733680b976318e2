package quakes

import (
	"math"
	"strings"
	"testing"
)

func TestLandFile(t *testing.T) {
	rows := strings.Split(strings.TrimSuffix(landRows, "\n"), "\n")
	if len(rows) != landHeight {
		t.Fatalf("%d rows, want %d", len(rows), landHeight)
	}
	for i, row := range rows {
		if len(row) != landWidth || strings.Trim(row, "#.") != "" {
			t.Errorf("row %d is not %d of '#' and '.'", i, landWidth)
		}
	}
}

func TestIsLand(t *testing.T) {
	for _, test := range []struct {
		name                string
		longitude, latitude float64
		want                bool
	}{
		{"Berlin", 13.4, 52.5, true},
		{"Berlin, a turn away", 373.4, 52.5, true},
		{"Nairobi", 36.8, -1.3, true},
		{"Denver", -105, 39.7, true},
		{"Alice Springs", 133.9, -23.7, true},
		{"Manaus", -60, -3.1, true},
		{"Chukotka, east of 180°", -178, 67, true},
		{"South Pole", 0, -90 + 1e-9, true},
		{"North Pole", 0, 90, false},
		{"Caspian Sea", 51, 41, false},
		{"mid-Pacific", -150, 0, false},
		{"mid-Atlantic", -30, 30, false},
		{"Indian Ocean", 80, -30, false},
		{"beyond the pole", 0, -91, false},
		{"no longitude", math.NaN(), 52.5, false},
		{"no latitude", 13.4, math.Inf(1), false},
		{"a hair west of the edge", -180 - 1e-300, 67, true},
	} {
		if got := isLand(test.longitude, test.latitude); got != test.want {
			t.Errorf("%s: land %v, want %v", test.name, got, test.want)
		}
	}
}

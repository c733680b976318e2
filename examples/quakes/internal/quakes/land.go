package quakes

import (
	_ "embed"
	"math"
)

// One line per degree of latitude from north to south, one character per
// degree of longitude from west to east: '#' is land.
//
//go:embed land.txt
var landRows string

const (
	landWidth  = 360
	landHeight = 180
)

// isLand reports whether the square degree around a point is mostly land.
// Longitudes wrap around; there is no land beyond the poles.
func isLand(longitude, latitude float64) bool {
	row := math.Floor(90 - latitude)
	col := math.Floor(wrap(longitude+180, 360))
	if !(row >= 0 && row < landHeight && col >= 0 && col < landWidth) {
		return false // also for a value that is no number
	}
	return landRows[int(row)*(landWidth+1)+int(col)] == '#'
}

// wrap brings x into [0, size).
func wrap(x, size float64) float64 {
	x = math.Mod(x, size)
	if x < 0 {
		x += size
	}
	if x >= size { // a tiny negative rounds up to size itself
		return 0
	}
	return x
}

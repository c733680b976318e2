package quakes

import (
	"math"
	"strings"
)

const (
	// The map begins in the Atlantic, so that the Pacific with its ring of
	// quakes is in one piece.
	westEdge = -30.0

	// Polar rows beyond these latitudes are left out unless a quake is there.
	northEdge = 84.0
	southEdge = -60.0
)

// Map draws the quakes on an equirectangular map of the world, the strongest
// quake of each cell on top, and beneath it a legend with counts. Quakes
// without a usable position or magnitude are counted as not shown.
func Map(quakes []Quake, s Style) string {
	width := s.width()
	height := (width + 2) / 4 // square dots, as 360° by 180° ask for
	c := newCanvas(width, height)
	drawLand(c)

	var t tally
	strongest := make([]float64, width*height)
	first, end := edgeRows(height)
	for i := range quakes {
		q := &quakes[i]
		class, ok := classOf(q.Magnitude)
		col, row, placed := place(q, width, height)
		if !ok || !placed {
			t.skipped++
			continue
		}
		t.add(q, class)
		first, end = min(first, row), max(end, row+1)
		p := c.at(col, row)
		if at := row*width + col; p.ink == inkNone || p.ink == inkLand || q.Magnitude > strongest[at] {
			strongest[at] = q.Magnitude
			*p = cell{mark: class.mark(), ink: class.ink()}
			c.clearAround(col, row)
		}
	}

	var out strings.Builder
	out.WriteString(c.rows(first, end, s))
	out.WriteByte('\n')
	out.WriteString(t.legend(s))
	return out.String()
}

// place finds the cell of a quake. Longitudes up to a full turn away are taken
// as the same meridian counted the other way around.
func place(q *Quake, width, height int) (col, row int, ok bool) {
	if !(math.Abs(q.Latitude) <= 90 && math.Abs(q.Longitude) <= 360) {
		return 0, 0, false // also for a value that is no number
	}
	col = int(wrap(q.Longitude-westEdge, 360) / 360 * float64(width))
	row = int((90 - q.Latitude) / 180 * float64(height))
	return min(col, width-1), min(row, height-1), true
}

// edgeRows are the rows drawn at any rate, first and one past the last.
func edgeRows(height int) (first, end int) {
	perDegree := float64(height) / 180
	return int((90 - northEdge) * perDegree), int(math.Ceil((90 - southEdge) * perDegree))
}

// drawLand stipples the continents like a chessboard, so that they stay fainter
// than any mark even without colour, and closes the stipple along the coasts,
// where the shapes are.
func drawLand(c *canvas) {
	wide, tall := c.width*dotsWide, c.height*dotsTall
	land := make([]bool, wide*tall)
	for y := range tall {
		for x := range wide {
			land[y*wide+x] = dotOnLand(x, y, wide, tall)
		}
	}
	for y := range tall {
		for x := range wide {
			if !land[y*wide+x] {
				continue
			}
			inland := land[y*wide+(x+1)%wide] && land[y*wide+(x+wide-1)%wide] &&
				land[max(y-1, 0)*wide+x] && land[min(y+1, tall-1)*wide+x]
			if !inland || (x+y)%2 == 0 {
				c.dot(x, y, inkLand)
			}
		}
	}
}

// dotOnLand asks several points of a dot's area, so that narrow islands are
// neither lost nor swollen as the map grows and shrinks.
func dotOnLand(x, y, wide, tall int) bool {
	const side, enough = 3, 4
	hits := 0
	for i := range side {
		for j := range side {
			longitude := westEdge + 360*(float64(x)+(float64(i)+0.5)/side)/float64(wide)
			latitude := 90 - 180*(float64(y)+(float64(j)+0.5)/side)/float64(tall)
			if isLand(longitude, latitude) {
				hits++
			}
		}
	}
	return hits >= enough
}

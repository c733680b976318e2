package quakes

import "strings"

// canvas is a grid of terminal cells.
type canvas struct {
	width, height int
	cells         []cell // row by row
}

type cell struct {
	mark rune // zero is blank
	ink  ink
}

// A braille cell is two dots wide and four tall, which makes its dots square
// in the usual terminal font.
const (
	dotsWide = 2
	dotsTall = 4
	braille  = '\u2800' // the empty pattern; its low eight bits are the dots
)

func newCanvas(width, height int) *canvas {
	return &canvas{width: width, height: height, cells: make([]cell, width*height)}
}

func (c *canvas) at(col, row int) *cell {
	return &c.cells[row*c.width+col]
}

// dot adds one braille dot, counted in dots from the top left.
func (c *canvas) dot(x, y int, i ink) {
	// The bits run down the left column, then the right; the bottom row came
	// later to the standard and has the two highest.
	bit := [dotsTall][dotsWide]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}
	p := c.at(x/dotsWide, y/dotsTall)
	if p.mark == 0 {
		p.mark = braille
	}
	p.mark |= bit[y%dotsTall][x%dotsWide]
	p.ink = i
}

// clearAround takes away the dots that touch a cell from the left and the
// right, which gives a small mark room to be seen among them.
func (c *canvas) clearAround(col, row int) {
	const leftDots, rightDots = 0x47, 0xb8
	if col > 0 {
		c.at(col-1, row).clearDots(rightDots)
	}
	if col < c.width-1 {
		c.at(col+1, row).clearDots(leftDots)
	}
}

func (p *cell) clearDots(bits rune) {
	if p.mark >= braille && p.mark <= braille+0xff {
		if p.mark &^= bits; p.mark == braille {
			p.mark = 0
		}
	}
}

// rows renders the rows from first up to but not including end, each cell run
// of one ink painted at once and blanks at the end of a row left out.
func (c *canvas) rows(first, end int, s Style) string {
	var out strings.Builder
	for row := first; row < end; row++ {
		cells := c.cells[row*c.width : (row+1)*c.width]
		for len(cells) > 0 && cells[len(cells)-1].mark == 0 {
			cells = cells[:len(cells)-1]
		}
		for len(cells) > 0 {
			var run strings.Builder
			ink := cells[0].ink
			for len(cells) > 0 && cells[0].ink == ink {
				mark := cells[0].mark
				if mark == 0 {
					mark = ' '
				}
				run.WriteRune(mark)
				cells = cells[1:]
			}
			out.WriteString(s.paint(ink, run.String()))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

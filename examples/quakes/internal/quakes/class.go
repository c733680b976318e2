package quakes

import "math"

// class sorts magnitudes into the few kinds a picture can tell apart. The
// bounds are whole numbers so that no bar of the histogram spans two classes.
type class int

const (
	micro    class = iota // below 2: seldom felt
	minor                 // 2 to 4: often felt, seldom harmful
	moderate              // 4 to 6: shakes things, may do damage
	strong                // 6 and more: may be destructive
)

const classes = int(strong) + 1

// classOf reports false for a magnitude that is no number.
func classOf(magnitude float64) (class, bool) {
	switch {
	case math.IsNaN(magnitude) || math.IsInf(magnitude, 0):
		return 0, false
	case magnitude < 2:
		return micro, true
	case magnitude < 4:
		return minor, true
	case magnitude < 6:
		return moderate, true
	default:
		return strong, true
	}
}

// mark is the glyph of the class: heavier for stronger, so that the pictures
// also read without colour.
func (c class) mark() rune {
	return [classes]rune{'∘', '•', '○', '●'}[c]
}

func (c class) String() string {
	return [classes]string{"below 2", "2–4", "4–6", "6+"}[c]
}

func (c class) ink() ink {
	return [classes]ink{inkMicro, inkMinor, inkModerate, inkStrong}[c]
}

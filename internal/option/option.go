// Package option applies options that are values and check themselves.
package option

import (
	"errors"
	"fmt"
	"time"
)

// ErrInvalid is wrapped by the error of an option or argument out of its range.
var ErrInvalid = errors.New("invalid option")

// Invalid returns an error that wraps ErrInvalid.
func Invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// Apply applies options to settings in their order, until one is invalid.
func Apply[Option, Settings any](to *Settings, options []Option, apply func(Option, *Settings) error) error {
	for _, one := range options {
		if any(one) == nil {
			return Invalid("an option is nil")
		}
		if err := apply(one, to); err != nil {
			return err
		}
	}
	return nil
}

// OrDefault sets a number or a duration that is positive. Zero leaves the default
// as it is; below zero is an error.
func OrDefault[N ~int | ~int64 | ~float64](name string, value N, to *N) error {
	if !(value >= 0) { //nolint:staticcheck // of NaN it is not the same as value < 0
		return Invalid("%s is %v, below 0", name, value)
	}
	if value > 0 {
		*to = value
	}
	return nil
}

// TimeOrNil returns nil for the zero time, which is no condition.
func TimeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

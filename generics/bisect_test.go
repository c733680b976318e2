package generics_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/pgmq-go/pgmq/generics"
)

var (
	errBad   = errors.New("a bad item")
	errFatal = errors.New("a fatal error")
)

// tens multiplies by ten. It refuses a batch that holds a negative number.
func tens(tries *int) func([]int) ([]generics.Result[int], error) {
	return func(batch []int) ([]generics.Result[int], error) {
		*tries++
		var outs []generics.Result[int]
		for _, in := range batch {
			if in < 0 {
				return nil, errBad
			}
			outs = append(outs, generics.Result[int]{Value: 10 * in})
		}
		return outs, nil
	}
}

func isBad(err error) bool { return errors.Is(err, errBad) }

func TestBisectTriesAGoodBatchOnce(t *testing.T) {
	t.Parallel()
	tries := 0
	got := generics.Bisect([]int{1, 2, 3}, tens(&tries), isBad)
	if want := []generics.Result[int]{{Value: 10}, {Value: 20}, {Value: 30}}; !slices.Equal(got, want) || tries != 1 {
		t.Errorf("%v in %d tries", got, tries)
	}
}

func TestBisectFailsTheBadItemsAlone(t *testing.T) {
	t.Parallel()
	for size := 1; size <= 17; size++ {
		for bad := range size {
			batch := make([]int, size)
			for i := range batch {
				batch[i] = i
			}
			batch[bad] = -1
			tries := 0
			got := generics.Bisect(batch, tens(&tries), isBad)
			for i, r := range got {
				if i == bad && !isBad(r.Err) || i != bad && (r.Err != nil || r.Value != 10*i) {
					t.Errorf("%v: %v", batch, got)
				}
			}
			if len(got) != size || tries > 11 { // 1 + 2·log₂ 32
				t.Errorf("%v: %d results in %d tries", batch, len(got), tries)
			}
		}
	}
}

func TestBisectDoesNotSplitOnOtherErrors(t *testing.T) {
	t.Parallel()
	tries := 0
	got := generics.Bisect([]int{1, 2}, func([]int) ([]generics.Result[int], error) { tries++; return nil, errFatal }, isBad)
	if want := []generics.Result[int]{{Err: errFatal}, {Err: errFatal}}; !slices.Equal(got, want) || tries != 1 {
		t.Errorf("%v in %d tries", got, tries)
	}
}

func TestBisectDoesNotTryNothing(t *testing.T) {
	t.Parallel()
	tries := 0
	if got := generics.Bisect(nil, tens(&tries), isBad); len(got) != 0 || tries != 0 {
		t.Errorf("%v in %d tries", got, tries)
	}
}

func TestAnItemWithoutAResultFailsAndNoOtherDoes(t *testing.T) {
	t.Parallel()
	for given := range 5 {
		got := generics.Bisect([]int{1, 2, 3}, func([]int) ([]generics.Result[int], error) {
			return make([]generics.Result[int], given), nil
		}, isBad)
		for i, r := range got {
			if known := i < given; known != (r.Err == nil) || !known && !errors.Is(r.Err, generics.ErrOutcomeUnknown) {
				t.Errorf("%d results: %v", given, got)
			}
		}
		if len(got) != 3 {
			t.Errorf("%d results: %v", given, got)
		}
	}
}

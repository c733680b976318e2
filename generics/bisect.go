package generics

import "fmt"

// Bisect calls try with the whole batch and returns one Result for each item, in
// the order of the batch. When try fails with an error for which split is true,
// Bisect calls it with each half instead, and so on down to a single item. So only
// the bad item among n fails, for about 2·log₂ n more calls. Any other error becomes
// the result of every item in the part that try was called with.
//
// try returns a Result for each item, in their order, or an error for all of them. An
// item without a Result fails with ErrOutcomeUnknown. The calls of try do not
// overlap. An empty batch returns nil without a call.
func Bisect[In, Out any](batch []In, try func([]In) ([]Result[Out], error), split func(error) bool) []Result[Out] {
	if len(batch) == 0 {
		return nil
	}
	tried, err := try(batch)
	if err != nil && len(batch) > 1 && split(err) {
		half := len(batch) / 2
		return append(Bisect(batch[:half:half], try, split), Bisect(batch[half:], try, split)...)
	}
	results := make([]Result[Out], len(batch))
	if err == nil {
		err = errNoResult
		tried = tried[:min(len(tried), len(batch))]
	} else {
		tried = nil
	}
	for i := copy(results, tried); i < len(results); i++ {
		results[i].Err = err
	}
	return results
}

var errNoResult = fmt.Errorf("%w: it got no result", ErrOutcomeUnknown)

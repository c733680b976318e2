package generics

// Halve calls try with the whole batch and returns one Result per item, in the
// order of the batch. When try fails with an error for which split is true, it
// is called with each half instead, and so on down to a single item: so one bad
// item among n fails alone, at the price of about 2·log₂ n more calls. Any other
// error goes to every item of the part that it met.
//
// try returns one Out per In, or an error; a missing Out is a panic. Its calls
// come one after the other. An empty batch is not tried.
func Halve[In, Out any](batch []In, try func([]In) ([]Out, error), split func(error) bool) []Result[Out] {
	if len(batch) == 0 {
		return nil
	}
	outs, err := try(batch)
	if err != nil && len(batch) > 1 && split(err) {
		half := len(batch) / 2
		return append(Halve(batch[:half:half], try, split), Halve(batch[half:], try, split)...)
	}
	results := make([]Result[Out], len(batch))
	for i := range results {
		if err != nil {
			results[i].Err = err
		} else {
			results[i].Value = outs[i]
		}
	}
	return results
}

package main

import (
	"context"
	"errors"
	"testing"
)

// bareNamed returns bareTable with another name, and so with another database.
func bareNamed(name string) *system {
	s := *bareTable
	s.name = name
	return &s
}

func TestASystemThatFailsDoesNotEndTheRun(t *testing.T) {
	t.Parallel()
	broken := bareNamed("broken")
	broken.open = func(context.Context, pools, int) (client, error) { return nil, errors.New("broken on purpose") }
	p := planOf(t, broken, bareNamed("whole"))
	var kept []*record
	if err := p.run(t.Context(), nil, func(r *record) error {
		kept = append(kept, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(kept) != 1 {
		t.Fatalf("%d cells were kept", len(kept))
	}
	for _, one := range kept[0].Results {
		if failed := one.Failure != ""; failed != (one.System == "broken") {
			t.Errorf("%s failed: %q", one.System, one.Failure)
		}
	}
	if n := len(kept[0].Results); n != 6 {
		t.Errorf("%d results of two systems in three variants", n)
	}
}

func TestARunThatIsEndedEarlyKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	p := planOf(t, bareNamed("ended"))
	p.cells = append(p.cells, sends, drains)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	kept := 0
	err := p.run(ctx, nil, func(r *record) error {
		kept += len(r.Results)
		cancel(enough)
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("the run ended with %v", err)
	}
	if kept != 3 {
		t.Errorf("%d results were kept, not the three of the first cell", kept)
	}
}

// planOf returns a plan that measures batches of some systems on the shared server.
func planOf(t *testing.T, systems ...*system) *plan {
	t.Helper()
	s, err := another(t, systems[0])
	if err != nil {
		t.Fatal(err)
	}
	return &plan{server: s, systems: systems, cells: []*cell{batches}, rounds: 1, form: tiny}
}

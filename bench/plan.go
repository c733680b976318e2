package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// plan is one run: which cells to measure, of which systems, in how many rounds.
type plan struct {
	server   *server
	systems  []*system
	cells    []*cell
	rounds   int
	form     form
	progress *progress
}

// step names one piece of the plan.
type step struct {
	cell    *cell
	variant variant
	round   int
	system  *system
}

func (s step) String() string {
	return fmt.Sprintf("%s: %s, round %d, %s", s.cell.label(), s.variant.name, s.round+1, s.system.name)
}

// steps returns the pieces of a cell in the order of measuring. Each round measures
// every system once, and starts with another one.
func (p *plan) steps(c *cell) []step {
	rounds := p.rounds
	if c.once {
		rounds = 1
	}
	var all []step
	for _, v := range c.variants(p.form) {
		var able []*system
		for _, s := range p.systems {
			if s.reason(c.id, v.name) == "" {
				able = append(able, s)
			}
		}
		for round := range rounds {
			for i := range able {
				all = append(all, step{c, v, round, able[(i+round)%len(able)]})
			}
		}
	}
	return all
}

// reason returns why a system is left out of a cell or of one of its variants, or
// "" when it takes part.
func (s *system) reason(cell, variant string) string {
	if why, ok := s.cannot[cell]; ok {
		return why
	}
	return s.cannot[cell+" "+variant]
}

// leftOut returns the reasons why systems are missing in a cell.
func (p *plan) leftOut(c *cell) map[string]string {
	missing := map[string]string{}
	for _, s := range p.systems {
		for where, why := range s.cannot {
			if id, variant, _ := strings.Cut(where, " "); id == c.id {
				missing[strings.TrimSpace(s.name+" "+variant)] = why
			}
		}
	}
	return missing
}

// run measures one cell after the other and passes each record to keep. When ctx
// ends, keep gets the figures so far of the current cell. When a system fails in a
// round, run records the failure and goes on.
func (p *plan) run(ctx context.Context, conditions []string, keep func(*record) error) (err error) {
	total := 0
	for _, c := range p.cells {
		total += len(p.steps(c))
	}
	p.progress.begin(total)
	defer p.progress.end()
	for _, s := range p.systems {
		if err := p.server.install(ctx, s); err != nil {
			return fmt.Errorf("install %s: %w", s.name, err)
		}
		defer func() { err = errors.Join(err, p.server.uninstall(context.WithoutCancel(ctx), s)) }()
	}
	for _, c := range p.cells {
		r := &record{
			Cell: c.id, Conditions: conditions, Started: time.Now(), Full: p.form.full,
			Held: [2]int{p.form.held[0], p.form.held[0] + p.form.held[1]}, Seconds: p.form.held[0] + p.form.held[1] + p.form.held[2],
			LeftOut: p.leftOut(c),
		}
		steps := p.steps(c)
		for i, s := range steps {
			if ctx.Err() != nil {
				break
			}
			p.progress.at(s)
			if i == 0 || steps[i-1].round != s.round || steps[i-1].variant.name != s.variant.name {
				if _, err := p.server.control.Exec(ctx, `CHECKPOINT`); err != nil {
					return err
				}
			}
			if one := p.measure(ctx, s); ctx.Err() == nil {
				r.Results = append(r.Results, one)
				p.progress.done(one)
			}
		}
		if err := keep(r); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("ended early; the results so far are kept: %w", context.Cause(ctx))
		}
	}
	return nil
}

// measure measures one piece. A failure is part of its result.
func (p *plan) measure(ctx context.Context, s step) result {
	ctx, cancel := context.WithTimeoutCause(ctx, p.form.limit, fmt.Errorf("not finished after %v", p.form.limit))
	defer cancel()
	one := result{Variant: s.variant.name, X: s.variant.x, Round: s.round, System: s.system.name}
	fail := func(err error) result {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		one.Failure = err.Error()
		return one
	}
	piece, err := newPiece(ctx, p.server, s.system, p.form, s.variant)
	if err != nil {
		return fail(err)
	}
	if err = s.variant.run(ctx, piece); err == nil && p.form.verify {
		err = piece.verify(ctx)
	}
	if err = errors.Join(err, piece.database.close()); err != nil {
		return fail(err)
	}
	one.Values, one.Seconds = piece.values, piece.seconds
	return one
}

package main

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg/draw"
)

// titles name the y axes above the panels, where they are easier to read than along
// the axis.
var titles = map[metric]string{
	rate:       "Messages a second",
	p50:        "p50 from due to handler, ms",
	p95:        "p95 from due to handler, ms",
	p99:        "p99 from due to handler, ms",
	cpuPer:     "Server CPU a message, µs",
	walPer:     "WAL a message, bytes",
	commitsPer: "Commits a message",
}

// byVariant draws one line for each system over the variants of a cell, on a log
// axis. A cross instead of a dot means that the system did not keep up with the load.
func byVariant(r *record, m metric, x string) *plot.Plot {
	p := newPanel(titles[m], x)
	variants := r.variants()
	nominal(p, variants)
	var all []float64
	for _, system := range slices.Backward(r.systems()) { // ours on top
		var done, late plotter.XYs
		var line plotter.XYs
		for i, variant := range variants {
			value, ok := r.median(variant, system, m)
			if !ok || value <= 0 {
				continue
			}
			at := plotter.XY{X: float64(i), Y: value}
			line = append(line, at)
			if r.keptUp(variant, system) {
				done = append(done, at)
			} else {
				late = append(late, at)
			}
			all = append(all, value)
		}
		if len(line) > 0 {
			p.Add(&plotter.Line{XYs: line, LineStyle: styles[system]})
		}
		p.Add(dots(done, system, draw.CircleGlyph{}), dots(late, system, draw.CrossGlyph{}))
	}
	logY(p, all)
	return p
}

// keptUp reports whether a system handled 95 % of the load, in cells that have one.
func (r *record) keptUp(variant, system string) bool {
	if r.Cell != steady.id {
		return true
	}
	got, ok := r.median(variant, system, rate)
	i := slices.IndexFunc(r.Results, func(one result) bool { return one.Variant == variant })
	return ok && i >= 0 && got >= 0.95*r.Results[i].X
}

func dots(at plotter.XYs, system string, shape draw.GlyphDrawer) *plotter.Scatter {
	return &plotter.Scatter{XYs: at, GlyphStyle: draw.GlyphStyle{Color: styles[system].Color, Radius: 3, Shape: shape}}
}

// costFigure shows the server's cost of a message when it is sent alone, when it is
// sent in a batch, and when it is drained.
func costFigure(records []*record) figureOf {
	type place struct {
		r             *record
		variant, name string
	}
	var places []place
	f := figureOf{name: "costs", about: "What one message costs the server in cells a, b and c", columns: 3}
	for _, r := range records {
		switch r.Cell {
		case sends.id:
			places = append(places, place{r, "64", "send"})
		case batches.id:
			places = append(places, place{r, "1000", "batch"})
		case drains.id:
			places = append(places, place{r, "16", "drain"})
		default:
			continue
		}
		for _, name := range r.systems() {
			if !slices.Contains(f.systems, name) {
				f.systems = append(f.systems, name)
			}
		}
	}
	inOrder(f.systems)
	if len(places) == 0 {
		return f
	}
	for _, m := range costs {
		p := newPanel(titles[m], "send by 64, batches of 1,000, drain by 16")
		var names []string
		var all []float64
		for i, at := range places {
			names = append(names, at.name)
			for j, system := range f.systems {
				value, ok := at.r.median(at.variant, system, m)
				if !ok || value <= 0 {
					continue
				}
				offset := (float64(j) - float64(len(f.systems)-1)/2) * 0.09
				p.Add(dots(plotter.XYs{{X: float64(i) + offset, Y: value}}, system, draw.CircleGlyph{}))
				all = append(all, value)
			}
		}
		nominal(p, names)
		logY(p, all)
		f.panels = append(f.panels, p)
	}
	return f
}

// overTime draws a variant of the held horizon, second by second. A shade marks the
// time in which the transaction is open.
func overTime(r *record, variant string) figureOf {
	f := figureOf{name: "horizon-" + fmt.Sprint(r.xOf(variant)), about: r.about(), columns: 1}
	for i, panel := range []struct {
		title string
		log   bool
		of    func(second) float64
	}{
		{"Messages a second, of " + variant, false, func(s second) float64 { return s.Rate }},
		{"p99 from due to handler, ms", true, func(s second) float64 { return s.P99 }},
		{"Dead rows", false, func(s second) float64 { return s.Dead }},
		{"Tables and indexes, MB", false, func(s second) float64 { return s.Size / 1e6 }},
	} {
		x := ""
		if i == 3 {
			x = "seconds; the transaction is open in the shaded time"
		}
		p := newPanel(panel.title, x)
		var all []float64
		var lines []*plotter.Line
		for _, one := range r.Results {
			if one.Variant != variant || one.Round != 0 || len(one.Seconds) == 0 {
				continue
			}
			if !slices.Contains(f.systems, one.System) {
				f.systems = append(f.systems, one.System)
			}
			line := &plotter.Line{LineStyle: styles[one.System]}
			for at, s := range one.Seconds {
				y := panel.of(s)
				if panel.log && y <= 0 { // no message came in that second
					continue
				}
				line.XYs = append(line.XYs, plotter.XY{X: float64(at + 1), Y: y})
				all = append(all, y)
			}
			lines = append(lines, line)
		}
		if len(all) == 0 {
			continue
		}
		if panel.log {
			logY(p, all)
		} else {
			linearY(p, all)
		}
		p.X.Min, p.X.Max = 0, float64(r.Seconds)
		p.X.Tick.Marker = secondTicks(0, r.Held[0], r.Held[1], r.Seconds)
		p.Add(shade(r.Held, p.Y.Min, p.Y.Max))
		for _, line := range lines {
			if len(line.XYs) > 0 {
				p.Add(line)
			}
		}
		f.panels = append(f.panels, p)
	}
	inOrder(f.systems)
	return f
}

func inOrder(names []string) {
	slices.SortFunc(names, func(a, b string) int {
		return slices.Index(systemNames(), a) - slices.Index(systemNames(), b)
	})
}

func (r *record) xOf(variant string) float64 {
	i := slices.IndexFunc(r.Results, func(one result) bool { return one.Variant == variant })
	return r.Results[i].X
}

func secondTicks(seconds ...int) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, s := range seconds {
		ticks = append(ticks, plot.Tick{Value: float64(s), Label: fmt.Sprint(s)})
	}
	return ticks
}

func shade(seconds [2]int, bottom, top float64) *plotter.Polygon {
	from, to := float64(seconds[0]), float64(seconds[1])
	return &plotter.Polygon{
		XYs:   []plotter.XYs{{{X: from, Y: bottom}, {X: to, Y: bottom}, {X: to, Y: top}, {X: from, Y: top}}},
		Color: color.NRGBA{0x80, 0x80, 0x80, 0x20},
	}
}

// nominal labels the x axis with names instead of numbers.
func nominal(p *plot.Plot, names []string) {
	var ticks plot.ConstantTicks
	for i, name := range names {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: name})
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max = -0.4, float64(len(names))-0.6
}

// logY gives the y axis a log scale around the values.
func logY(p *plot.Plot, all []float64) {
	if len(all) == 0 {
		all = []float64{1}
	}
	low, high := slices.Min(all)/1.5, slices.Max(all)*1.5
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = plot.TickerFunc(func(_, _ float64) []plot.Tick { return logTicks(low, high) })
	p.Y.Min, p.Y.Max = low, high
}

// logTicks labels the powers of ten, and when there are few of them, also twice and
// five times these.
func logTicks(low, high float64) []plot.Tick {
	steps := []float64{1}
	if high/low < 300 {
		steps = []float64{1, 2, 5}
	}
	var ticks []plot.Tick
	for power := math.Floor(math.Log10(low)); power <= math.Log10(high); power++ {
		for _, step := range steps {
			if value := step * math.Pow(10, power); value >= low && value <= high {
				ticks = append(ticks, plot.Tick{Value: value, Label: tickLabel(value)})
			}
		}
	}
	return ticks
}

func tickLabel(x float64) string {
	if x >= 1 || x == 0 {
		return grouped(x)
	}
	return fmt.Sprintf("%.4g", x)
}

// linearY gives the y axis a linear scale from 0.
func linearY(p *plot.Plot, all []float64) {
	p.Y.Min, p.Y.Max = 0, max(slices.Max(all)*1.1, 1)
	p.Y.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		ticks := plot.DefaultTicks{}.Ticks(low, high)
		for i := range ticks {
			if ticks[i].Label != "" {
				ticks[i].Label = tickLabel(ticks[i].Value)
			}
		}
		return ticks
	})
}

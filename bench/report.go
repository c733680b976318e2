package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// english prints a thousand as 1,000.
var english = message.NewPrinter(language.English)

// grouped prints a whole number with separators between thousands.
func grouped(x float64) string { return english.Sprintf("%d", int64(math.Round(x))) }

// figure prints a number with about three digits, or all of a whole part.
func figure(x float64) string {
	switch {
	case math.IsInf(x, 0):
		return "never"
	case math.Abs(x) >= 100:
		return grouped(x)
	case math.Abs(x) >= 10:
		return fmt.Sprintf("%.1f", x)
	case math.Abs(x) >= 0.1 || x == 0:
		return fmt.Sprintf("%.2f", x)
	default:
		return fmt.Sprintf("%.4f", x)
	}
}

// brief prints the result of a piece in one line.
func brief(c *cell, one result) string {
	var words []string
	for _, m := range c.columns {
		if value, ok := one.Values[m]; ok {
			words = append(words, figure(value)+" "+string(m))
		}
	}
	return strings.Join(words, ", ")
}

// writeReport writes charts, tables, goals and conditions as Markdown. They are
// sections of docs/performance.md, so the report has no title.
func writeReport(w io.Writer, records []*record, charts []figureOf) {
	fmt.Fprint(w, "## Charts\n\n")
	for _, f := range charts {
		title, _, _ := strings.Cut(f.about, ":")
		fmt.Fprintf(w, "%s:\n\n![%s](%s.svg)\n\n", f.about, title, f.name)
	}
	fmt.Fprint(w, "## Tables\n\n")
	for _, r := range records {
		writeCell(w, r)
	}
	writeGoals(w, records)
	writeConditions(w, records)
}

func writeCell(w io.Writer, r *record) {
	c := cellOf(r.Cell)
	fmt.Fprintf(w, "### (%s) %s\n\n", c.id, c.title)
	comparison := fmt.Sprintf("%s, ratio to %s", c.compared, c.reference)
	for _, variant := range r.variants() {
		fmt.Fprintf(w, "**%s**\n\n", variant)
		row(w, "", append(names(c.columns), comparison)...)
		row(w, "---", slices.Repeat([]string{"---:"}, len(c.columns)+1)...)
		for _, s := range systems {
			if !r.has(variant, s.name) {
				continue
			}
			var cells []string
			for _, m := range c.columns {
				cells = append(cells, dashed(r.median(variant, s.name, m)))
			}
			ratio := dashed(r.ratio(quantity{variant, s.name, c.compared}, quantity{variant, c.reference, c.compared}))
			row(w, s.name, append(cells, ratio)...)
		}
		fmt.Fprintln(w)
	}
	for _, one := range r.Results {
		if one.Failure != "" {
			fmt.Fprintf(w, "Failed: %s, %s, round %d: %s\n\n", one.System, one.Variant, one.Round+1, strings.ReplaceAll(one.Failure, "\n", "; "))
		}
	}
	if len(r.LeftOut) > 0 {
		var words []string
		for _, name := range slices.Sorted(maps.Keys(r.LeftOut)) {
			words = append(words, fmt.Sprintf("%s (%s)", name, r.LeftOut[name]))
		}
		fmt.Fprintf(w, "Left out: %s.\n\n", strings.Join(words, ", "))
	}
}

// has reports whether a system took part in a variant.
func (r *record) has(variant, system string) bool {
	return slices.ContainsFunc(r.Results, func(one result) bool {
		return one.Variant == variant && one.System == system
	})
}

func names(columns []metric) []string {
	var all []string
	for _, m := range columns {
		all = append(all, string(m))
	}
	return all
}

func row(w io.Writer, first string, rest ...string) {
	fmt.Fprintf(w, "| %s | %s |\n", first, strings.Join(rest, " | "))
}

// dashed prints a figure, or a dash when it was not measured.
func dashed(x float64, ok bool) string {
	if !ok {
		return "–"
	}
	return figure(x)
}

func writeConditions(w io.Writer, records []*record) {
	fmt.Fprint(w, "### Conditions\n\n")
	cellsBy := map[string][]string{} // by their conditions
	var order []string
	for _, r := range records {
		size := "short form"
		if r.Full {
			size = "full form"
		}
		text := "- " + strings.Join(append(slices.Clone(r.Conditions), size), "\n- ") + "\n"
		if cellsBy[text] == nil {
			order = append(order, text)
		}
		cellsBy[text] = append(cellsBy[text], cellOf(r.Cell).label())
	}
	for _, text := range order {
		fmt.Fprintf(w, "Cells %s:\n\n%s\n", strings.Join(cellsBy[text], ", "), text)
	}
}

package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// styles are the lines of systems in every chart. Colour-blind readers can tell the
// colours apart.
var styles = map[string]draw.LineStyle{
	pgmqGo.name:     {Color: color.RGBA{0x00, 0x72, 0xb2, 0xff}, Width: 2.5},
	pgmqSQL.name:    {Color: color.RGBA{0x56, 0xb4, 0xe9, 0xff}, Width: 1.5},
	pgmqSQLOne.name: {Color: color.RGBA{0x00, 0x9e, 0x73, 0xff}, Width: 1.5},
	pgmqThen.name:   {Color: color.RGBA{0xe6, 0x9f, 0x00, 0xff}, Width: 1.5},
	riverQueue.name: {Color: color.RGBA{0xd5, 0x5e, 0x00, 0xff}, Width: 1.5},
	gueQueue.name:   {Color: color.RGBA{0xcc, 0x79, 0xa7, 0xff}, Width: 1.5},
	bareTable.name:  {Color: color.RGBA{0x80, 0x80, 0x80, 0xff}, Width: 1.5},
	copyLimit.name:  {Color: color.RGBA{0x00, 0x00, 0x00, 0xff}, Width: 1.5, Dashes: []vg.Length{4, 3}},
}

// figureOf is a chart: panels with one legend.
type figureOf struct {
	name    string // of its file, without .svg
	about   string // the report's text above it
	columns int
	panels  []*plot.Plot
	systems []string
}

// drawCharts draws the charts of the records into dir, and returns them.
func drawCharts(dir string, records []*record) ([]figureOf, error) {
	all := figures(records)
	for _, f := range all {
		if err := f.save(filepath.Join(dir, f.name+".svg")); err != nil {
			return nil, fmt.Errorf("draw %s: %w", f.name, err)
		}
	}
	return all, nil
}

// figures returns the charts of the records: those that docs/performance.md shows.
// Tables are enough for the other cells.
func figures(records []*record) []figureOf {
	var all []figureOf
	for _, r := range records {
		by := func(name, x string, metrics ...metric) {
			f := figureOf{name: name, about: r.about(), columns: len(metrics), systems: r.systems()}
			for _, m := range metrics {
				f.panels = append(f.panels, byVariant(r, m, x))
			}
			all = append(all, f)
		}
		switch r.Cell {
		case sends.id:
			by("send", "goroutines, one message a call", rate)
		case drains.id:
			by("drain", "workers", rate)
		case steady.id:
			by("latency", "messages due; a cross: did not keep up", p50, p95, p99)
		case horizon.id:
			if variant := lastVariant(r); variant != "" {
				all = append(all, overTime(r, variant))
			}
		case manyQueues.id:
			by("queues", "queues", p50, p99)
		}
	}
	if f := costFigure(records); len(f.panels) > 0 {
		all = append(all, f)
	}
	return all
}

// about returns the letter and the title of the record's cell.
func (r *record) about() string {
	c := cellOf(r.Cell)
	return "(" + c.id + ") " + c.title
}

// systems returns the names of the systems that took part, in their order.
func (r *record) systems() []string {
	var all []string
	for _, s := range systems {
		if slices.ContainsFunc(r.Results, func(one result) bool { return one.System == s.name }) {
			all = append(all, s.name)
		}
	}
	return all
}

const (
	panelWidth  = 3.3 * vg.Inch
	panelHeight = 2.8 * vg.Inch
	legendWidth = 0.8 * vg.Inch
	gap         = vg.Length(10)
)

// save draws the panels in rows, with the legend on the right.
func (f figureOf) save(path string) error {
	columns := min(f.columns, len(f.panels))
	rows := (len(f.panels) + columns - 1) / columns
	width, height := panelWidth, panelHeight
	if columns == 1 {
		width *= 1.8
	}
	if rows > 1 {
		height *= 0.7
	}
	canvas := vgsvg.New(vg.Length(columns)*width+legendWidth, vg.Length(rows)*height)
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Path())

	panels := make([][]*plot.Plot, rows)
	for i, p := range f.panels {
		panels[i/columns] = append(panels[i/columns], p)
	}
	tiles := draw.Tiles{
		Rows: rows, Cols: columns, PadX: gap, PadY: gap,
		PadTop: gap, PadBottom: gap / 2, PadLeft: gap / 2, PadRight: gap,
	}
	canvases := plot.Align(panels, tiles, draw.Crop(whole, 0, -legendWidth, 0, 0))
	for i, line := range panels {
		for j, p := range line {
			p.Draw(canvases[i][j])
		}
	}
	legend := f.legend()
	legend.Draw(draw.Crop(whole, whole.Max.X-legendWidth, 0, 0, -3*gap))

	var text bytes.Buffer
	if _, err := canvas.WriteTo(&text); err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(text.Bytes(), []byte("font-family:Liberation Sans"), []byte(fonts)), 0o644)
}

func (f figureOf) legend() plot.Legend {
	legend := plot.NewLegend()
	legend.Top, legend.Left = true, true
	legend.ThumbnailWidth = 18
	legend.Padding = 3
	legend.TextStyle.Font = sans
	legend.TextStyle.Font.Size = 10
	for _, name := range f.systems {
		legend.Add(name, &plotter.Line{LineStyle: styles[name]})
	}
	return legend
}

// sans is the font of all text. Where it is not installed, one of fonts with the same
// widths often is.
var sans = font.Font{Typeface: "Liberation", Variant: "Sans"}

const fonts = "font-family:Liberation Sans,Arial,Helvetica,sans-serif"

// newPanel returns an empty plot in the common style.
func newPanel(title, x string) *plot.Plot {
	p := plot.New()
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label,
	} {
		style.Font = sans
	}
	p.Title.Text, p.X.Label.Text = title, x
	p.Title.TextStyle.Font.Size = 11
	p.Title.Padding = 6
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size = 9
		axis.Tick.Label.Font.Size = 8
		axis.Color = color.Gray{0x60}
		axis.Tick.Color = color.Gray{0x60}
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xf0}, color.Gray{0xe0}
	p.Add(grid)
	return p
}

package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"nsmodel/compare"
)

// A point is a median with its quartiles.
type point struct{ x, y, low, high float64 }

// A series is what one line of a plot shows.
type series struct {
	name   string // as the experiment has it
	label  string
	side   string // "" of what others published
	mark   mark
	colour int
	points []point
}

// plotWidth and plotHeight are a plot's size without its legend, in points: small
// enough that its text can be read on a phone.
const (
	plotWidth  = 440
	plotHeight = 300
	longest    = 225 // that an axis's label may be, beside the lesser side
)

// seriesOf returns the lines of a figure, the published ones last, and what has
// to be said of them below it.
func seriesOf(f *compare.Figure, d *compare.Data) (all []*series, notes []string) {
	var names, sides []string
	for _, k := range d.Keys(f.Name) {
		if !slices.Contains(names, k.Series) {
			names = append(names, k.Series)
		}
		if !slices.Contains(sides, k.Side) {
			sides = append(sides, k.Side)
		}
	}
	for _, side := range sides {
		for i, name := range names {
			s := &series{name: name, label: name, side: side, colour: i, mark: mark{i, side != compare.Model}}
			if len(sides) > 1 {
				s.label = side + ": " + name
			}
			for _, k := range d.Keys(f.Name) {
				if k.Side == side && k.Series == name {
					low, high := d.Quartiles(k)
					s.points = append(s.points, point{k.X, d.Stat(k).Median, low, high})
				}
			}
			slices.SortFunc(s.points, func(a, b point) int { return int(math.Copysign(1, a.x-b.x)) })
			if s.points != nil {
				all = append(all, s)
			}
		}
	}
	for _, c := range f.Published {
		s, ok := published(c, f, d)
		if !ok {
			notes = append(notes, fmt.Sprintf("Not drawn: %s, for want of a kernel's figure here to be a multiple of.", c.Label))
			continue
		}
		all = append(all, s)
		notes = append(notes, fmt.Sprintf("Dotted: published figures, %s.", c.Source))
	}
	return all, notes
}

// published returns the line of what somebody published.
func published(c compare.Curve, f *compare.Figure, d *compare.Data) (*series, bool) {
	unit := 1.0
	if c.Relative {
		keys := slices.DeleteFunc(slices.Clone(d.Keys(f.Name)), func(k compare.Key) bool { return k.Side != compare.Kernel })
		if len(keys) == 0 {
			return nil, false
		}
		base := keys[0]
		for _, k := range keys {
			if k.Series == base.Series && k.X < base.X {
				base = k
			}
		}
		unit = d.Stat(base).Median
	}
	s := &series{label: "published: " + c.Label}
	for i := range c.X {
		s.points = append(s.points, point{c.X[i], c.Y[i] * unit, c.Y[i] * unit, c.Y[i] * unit})
	}
	return s, true
}

// drawing is a figure that is ready to be drawn.
type drawing struct {
	figure *compare.Figure
	all    []*series
	x, y   *scale
}

func newDrawing(f *compare.Figure, all []*series) *drawing {
	var xs, ys []float64
	for _, s := range all {
		for _, p := range s.points {
			xs, ys = append(xs, p.x), append(ys, p.y, p.low, p.high)
		}
	}
	return &drawing{f, all, newScale(xs, f.LogX, false), newScale(ys, f.LogY, true)}
}

// svg draws it.
func (d *drawing) svg() ([]byte, error) {
	p := plot.New()
	p.Title.Text = d.figure.Title
	p.Title.TextStyle.Font = sans(11)
	p.Title.Padding = 6
	for _, a := range []struct {
		axis  *plot.Axis
		scale *scale
		label string
	}{{&p.X, d.x, d.figure.X}, {&p.Y, d.y, d.figure.Y}} {
		a.axis.Label.Text = a.label
		if a.scale.log {
			a.axis.Label.Text += ", log scale"
		}
		a.axis.Label.TextStyle.Font, a.axis.Tick.Label.Font = sans(10), sans(9)
		if long := a.axis.Label.TextStyle.Width(a.axis.Label.Text); long > longest {
			a.axis.Label.TextStyle.Font = sans(10 * longest / long)
		}
		a.axis.Label.Padding, a.axis.Padding = 4, 0
		a.axis.Tick.Length = 5
		a.axis.Min, a.axis.Max = a.scale.min, a.scale.max
		a.axis.Tick.Marker = ticker(a.scale.ticks)
	}
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	grid.Horizontal.Color, grid.Horizontal.Width, grid.Horizontal.Dashes = grey(0xdd), 0.5, nil
	p.Add(grid, d)
	l := d.legend()
	height := vg.Length(plotHeight) + l.height()
	svg := vgsvg.New(plotWidth, height)
	c := draw.New(svg)
	c.SetColor(grey(255))
	c.Fill(c.Rectangle.Path())
	p.Draw(draw.Crop(c, 4, -10, l.height()+4, -4))
	l.draw(&c)
	var b bytes.Buffer
	if _, err := svg.WriteTo(&b); err != nil {
		return nil, err
	}
	return d.finish(b.Bytes()), nil
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func ticker(list []tick) (marks plot.ConstantTicks) {
	for _, t := range list {
		marks = append(marks, plot.Tick{Value: t.at, Label: t.label})
	}
	return marks
}

// Plot draws the series into the plot's area.
//
// Lines of one x stand a little beside each other, so that their bars can be told
// apart.
func (d *drawing) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	if d.x.hasZero {
		d.cut(&c, trX)
	}
	place := func(i int, pt point) (x, y vg.Length) {
		aside := vg.Length(float64(i)-float64(len(d.all)-1)/2) * 1.5
		return trX(d.x.at(pt.x)) + aside, trY(d.y.at(pt.y))
	}
	for i, s := range d.all {
		var line []vg.Point
		for _, pt := range s.points {
			x, y := place(i, pt)
			line = append(line, vg.Point{X: x, Y: y})
		}
		if d.x.hasZero && len(line) > 1 && s.points[0].x <= 0 { // how steep that piece is says nothing
			c.StrokeLines(draw.LineStyle{Color: s.ink(), Width: 0.4}, line[:2])
			line = line[1:]
		}
		c.StrokeLines(s.line(), line)
	}
	for i, s := range d.all {
		for _, pt := range s.points {
			x, y := place(i, pt)
			if pt.low != pt.high {
				low, high := trY(d.y.at(pt.low)), trY(d.y.at(pt.high))
				bar := draw.LineStyle{Color: s.ink(), Width: 0.8}
				c.StrokeLine2(bar, x, low, x, high)
				c.StrokeLine2(bar, x-2, low, x+2, low)
				c.StrokeLine2(bar, x-2, high, x+2, high)
			}
			if s.side != "" {
				s.mark.draw(&c, vg.Point{X: x, Y: y}, s.ink())
			}
		}
	}
}

// cut marks where a logarithmic axis breaks off before its 0.
func (d *drawing) cut(c *draw.Canvas, trX func(float64) vg.Length) {
	first := d.x.max
	for _, s := range d.all {
		for _, pt := range s.points {
			if pt.x > 0 {
				first = min(first, d.x.at(pt.x))
			}
		}
	}
	x, y := trX((d.x.zero+first)/2), c.Min.Y
	c.StrokeLine2(draw.LineStyle{Color: grey(255), Width: 2}, x-2, y, x+2, y)
	for _, aside := range []vg.Length{-2, 2} {
		c.StrokeLine2(draw.LineStyle{Color: grey(0), Width: 0.6}, x+aside-1.5, y-4, x+aside+1.5, y+4)
	}
	c.StrokeLine2(draw.LineStyle{Color: grey(0xbb), Width: 0.5, Dashes: []vg.Length{2, 2}}, x, y+6, x, c.Max.Y)
}

// line returns how a series' line is drawn.
func (s *series) line() draw.LineStyle {
	if s.side == "" {
		return draw.LineStyle{Color: s.ink(), Width: 1.4, Dashes: dotted()}
	}
	return draw.LineStyle{Color: s.ink(), Width: 1.2, Dashes: dashes(s.side)}
}

func (s *series) ink() color.Color {
	if s.side == "" {
		return grey(0x33)
	}
	return ink(s.colour)
}

// texts finds a drawing's texts: before the style, the font's size, and the text.
var texts = regexp.MustCompile(`<text ([^>]*)\s+style="[^"]*font-size:([0-9.]+)px[^"]*">([^<]*)</text>`)

// family is a font that every browser has; Liberation Sans is as wide as Arial.
const family = "'Liberation Sans',Arial,Helvetica,sans-serif"

// finish gives a drawing a name that is read aloud, and fonts that every browser
// has. Each text says how wide it was laid out, lest a wider font run over its
// neighbour.
func (d *drawing) finish(svg []byte) []byte {
	out := texts.ReplaceAllStringFunc(string(svg), func(m string) string {
		part := texts.FindStringSubmatch(m)
		size, err := strconv.ParseFloat(part[2], 64)
		if err != nil {
			return m
		}
		style := text.Style{Font: sans(vg.Length(size)), Handler: plot.DefaultTextHandler}
		return fmt.Sprintf(`<text %s font-size="%spx" textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`,
			part[1], part[2], style.Width(html.UnescapeString(part[3])).Points(), part[3])
	})
	out = strings.Replace(out, "<!-- Generated by SVGo and Plotinum VG -->\n", "", 1)
	out = strings.Replace(out, "\n\txmlns:xlink=\"http://www.w3.org/1999/xlink\"", fmt.Sprintf(" role=\"img\" font-family=%q", family), 1)
	i := strings.Index(out, "<svg")
	i += strings.Index(out[i:], ">") + 1
	title := fmt.Sprintf("\n<title>%s</title>\n<desc>%s, against %s</desc>", html.EscapeString(d.figure.Title), html.EscapeString(d.figure.Y), html.EscapeString(d.figure.X))
	return []byte(out[:i] + title + out[i:])
}

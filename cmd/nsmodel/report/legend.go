package report

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A legend stands below its plot, where it covers nothing.
type legend struct {
	all     []*series
	columns int
	style   text.Style
}

const (
	legendRow    = vg.Length(13)
	legendSample = vg.Length(30) // of line
	legendEdge   = vg.Length(10)
)

func (d *drawing) legend() *legend {
	l := &legend{all: d.all, style: text.Style{Color: grey(0), Font: sans(9), YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}}
	widest := vg.Length(0)
	for _, s := range l.all {
		widest = max(widest, l.style.Width(s.label))
	}
	// A viewer that takes another font, and does not squeeze it, wants more room.
	l.columns = max(1, min(len(l.all), int((plotWidth-2*legendEdge)/(widest*1.12+legendSample+12))))
	return l
}

func (l *legend) rows() int { return (len(l.all) + l.columns - 1) / l.columns }

func (l *legend) height() vg.Length { return vg.Length(l.rows())*legendRow + 8 }

// draw fills the columns one after the other, so that a side's series stay
// together.
func (l *legend) draw(c *draw.Canvas) {
	width := (vg.Length(plotWidth) - 2*legendEdge) / vg.Length(l.columns)
	for i, s := range l.all {
		x := c.Min.X + legendEdge + width*vg.Length(i/l.rows())
		y := c.Min.Y + l.height() - legendRow*vg.Length(i%l.rows()) - legendRow/2
		c.StrokeLine2(s.line(), x, y, x+legendSample, y)
		if s.side != "" {
			s.mark.draw(c, vg.Point{X: x + legendSample/2, Y: y}, s.ink())
		}
		c.FillText(l.style, vg.Point{X: x + legendSample + 5, Y: y}, s.label)
	}
}

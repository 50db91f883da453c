package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"nsmodel/compare"
)

// ink returns a series' colour: Okabe and Ito's, which people who see few colours
// can tell apart, without the yellow that paper swallows.
func ink(i int) color.Color {
	list := []color.RGBA{{0x00, 0x72, 0xb2, 255}, {0xd5, 0x5e, 0x00, 255}, {0x00, 0x9e, 0x73, 255}, {0xcc, 0x79, 0xa7, 255}, {0xe6, 0x9f, 0x00, 255}, {0x56, 0xb4, 0xe9, 255}, {0, 0, 0, 255}}
	return list[i%len(list)]
}

// grey is for what is not data.
func grey(v uint8) color.Color { return color.RGBA{v, v, v, 255} }

// dashes tells the sides apart in black and white.
func dashes(side string) []vg.Length {
	switch side {
	case compare.Kernel:
		return []vg.Length{6, 3}
	case compare.Peer:
		return []vg.Length{7, 2.5, 1.5, 2.5}
	}
	return nil
}

// dotted is for what others published.
func dotted() []vg.Length { return []vg.Length{1, 2.5} }

// A mark is a series' sign: a shape, filled for the model and hollow for others.
type mark struct {
	shape  int
	hollow bool
}

// outlines are the marks' shapes, in units of the radius; a nil one is a circle.
func outlines(i int) [][2]float64 {
	list := [][][2]float64{
		nil,
		{{-0.9, -0.9}, {0.9, -0.9}, {0.9, 0.9}, {-0.9, 0.9}},
		{{0, 1.25}, {1.1, -0.75}, {-1.1, -0.75}},
		{{0, 1.3}, {1.3, 0}, {0, -1.3}, {-1.3, 0}},
		{{0, -1.25}, {1.1, 0.75}, {-1.1, 0.75}},
		{{-0.4, -1.2}, {0.4, -1.2}, {0.4, -0.4}, {1.2, -0.4}, {1.2, 0.4}, {0.4, 0.4}, {0.4, 1.2}, {-0.4, 1.2}, {-0.4, 0.4}, {-1.2, 0.4}, {-1.2, -0.4}, {-0.4, -0.4}},
		{{0, 1.2}, {1.14, 0.37}, {0.71, -0.97}, {-0.71, -0.97}, {-1.14, 0.37}},
	}
	return list[i%len(list)]
}

// draw draws the mark at a point.
func (m mark) draw(c *draw.Canvas, at vg.Point, ink color.Color) {
	const radius = vg.Length(2.9)
	var path vg.Path
	if corners := outlines(m.shape); corners == nil {
		path.Move(vg.Point{X: at.X + radius, Y: at.Y})
		path.Arc(at, radius, 0, 2*math.Pi)
	} else {
		for i, k := range corners {
			p := vg.Point{X: at.X + radius*vg.Length(k[0]), Y: at.Y + radius*vg.Length(k[1])}
			if i == 0 {
				path.Move(p)
			} else {
				path.Line(p)
			}
		}
	}
	path.Close()
	fill := ink
	if m.hollow {
		fill = color.White
	}
	c.SetColor(fill)
	c.Fill(path)
	c.SetLineStyle(draw.LineStyle{Color: ink, Width: 1.1})
	c.Stroke(path)
}

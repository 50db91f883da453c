package report

// A document is a report before it is Markdown or HTML.
type document struct {
	title  string
	blocks []any
}

// The blocks that a document is made of.
type (
	heading struct {
		level    int // 2 and 3
		id, text string
	}
	paragraph struct {
		label string // in bold before it; may be ""
		text  string
	}
	// A warning is a paragraph that must not be overlooked.
	warning struct{ text string }
	// Beside is two texts to be compared.
	beside struct{ left, leftText, right, rightText string }
	list   struct {
		label string
		items []string
	}
	table struct {
		caption string
		header  []string
		rows    [][]string
		figures bool     // all columns but the first hold numbers
		links   []string // where the rows' first cells lead to; may be nil
	}
	// A graph is a plot that has been drawn.
	graph struct {
		file, title, caption string
		svg                  []byte
	}
)

func (d *document) add(blocks ...any) { d.blocks = append(d.blocks, blocks...) }

func (d *document) head(level int, id, text string) { d.add(heading{level, id, text}) }

func (d *document) say(label, text string) {
	if text != "" {
		d.add(paragraph{label, text})
	}
}

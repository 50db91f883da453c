package lab

import (
	"fmt"
	"strings"
)

// A printer writes a command's output, as text or as JSON, from one series of
// calls: a method with a key and a format takes the key for JSON and the
// format for text. JSON has iproute2's spaces and newlines.
type printer struct {
	b                     strings.Builder
	json, pretty, oneline bool
	depth                 int
	sep                   string // what goes before the next value
}

// nl ends a line that -o joins with the next.
func (p *printer) nl() {
	if p.oneline {
		p.text("\\")
	} else {
		p.text("\n")
	}
}

// text writes to text output alone.
func (p *printer) text(format string, a ...any) {
	if !p.json {
		fmt.Fprintf(&p.b, format, a...)
	}
}

func (p *printer) eol() {
	if p.pretty {
		p.b.WriteString("\n" + strings.Repeat("    ", p.depth))
	}
}

// name writes an object's key, or what goes between an array's elements.
func (p *printer) name(key string) {
	p.b.WriteString(p.sep)
	p.sep = ","
	if key == "" {
		return
	}
	p.eol()
	p.b.WriteString(quoteJSON(key) + ":")
	if p.pretty {
		p.b.WriteString(" ")
	}
}

func (p *printer) begin(key, open string) {
	if p.json {
		p.name(key)
		p.b.WriteString(open)
		p.depth++
		p.sep = ""
	}
}

func (p *printer) openObject()          { p.begin("", "{") }
func (p *printer) openNamed(key string) { p.begin(key, "{") }
func (p *printer) openArray(key string) {
	p.begin(key, "[")
	if p.json && p.pretty {
		p.b.WriteString(" ")
	}
}

// openList begins the output as a whole.
func (p *printer) openList() { p.openArray("") }

func (p *printer) closeObject() {
	if p.json {
		p.depth--
		if p.sep != "" {
			p.eol()
		}
		p.b.WriteString("}")
		p.sep = ","
	}
}

func (p *printer) closeArray() {
	if p.json {
		p.depth--
		if p.pretty && p.sep != "" {
			p.b.WriteString(" ")
		}
		p.b.WriteString("]")
		p.sep = ","
	}
}

// str writes a string.
func (p *printer) str(key, format, v string) {
	if !p.json {
		p.put(format, v)
		return
	}
	p.name(key)
	p.b.WriteString(quoteJSON(v))
}

// num writes a number.
func (p *printer) num(key, format string, v int64) {
	if !p.json {
		p.put(format, v)
		return
	}
	p.name(key)
	fmt.Fprint(&p.b, v)
}

// flag writes a text that is there or not: true or null in JSON.
func (p *printer) flag(key, value, text string) {
	if !p.json {
		p.b.WriteString(text)
		return
	}
	p.name(key)
	p.b.WriteString(value)
}

// put formats one value; a format without a verb, such as "", is the text itself.
func (p *printer) put(format string, v any) {
	if strings.Contains(format, "%") {
		fmt.Fprintf(&p.b, format, v)
	} else {
		p.b.WriteString(format)
	}
}

// finish returns the output.
func (p *printer) finish() string {
	if p.json {
		p.closeArray()
		p.b.WriteString("\n")
	}
	return p.b.String()
}

// quoteJSON quotes what JSON says must be quoted, and nothing else.
func quoteJSON(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		switch c {
		case '\t':
			b.WriteString(`\t`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\f':
			b.WriteString(`\f`)
		case '\b':
			b.WriteString(`\b`)
		case '\\', '"':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			if c < ' ' {
				fmt.Fprintf(&b, `\u%04x`, c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

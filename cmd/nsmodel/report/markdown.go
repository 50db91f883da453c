package report

import (
	"fmt"
	"strings"
)

// markdown writes the document as GitHub reads it; plots are files beside it.
func (d *document) markdown() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", plain(d.title))
	for _, block := range d.blocks {
		b.WriteByte('\n')
		switch x := block.(type) {
		case heading:
			fmt.Fprintf(&b, "<a id=%q></a>\n\n%s %s\n", x.id, strings.Repeat("#", x.level), plain(x.text))
		case paragraph:
			if x.label != "" {
				fmt.Fprintf(&b, "**%s:** ", plain(x.label))
			}
			fmt.Fprintf(&b, "%s\n", plain(x.text))
		case warning:
			fmt.Fprintf(&b, "> **%s**\n", plain(x.text))
		case beside:
			table{header: []string{x.left, x.right}, rows: [][]string{{x.leftText, x.rightText}}}.markdown(&b)
		case list:
			if x.label != "" {
				fmt.Fprintf(&b, "**%s:**\n\n", plain(x.label))
			}
			for _, item := range x.items {
				fmt.Fprintf(&b, "- %s\n", plain(item))
			}
		case table:
			x.markdown(&b)
		case graph:
			fmt.Fprintf(&b, "![%s](%s)\n\n*%s*\n", plain(x.title), x.file, plain(x.caption))
		}
	}
	return []byte(b.String())
}

func (t table) markdown(b *strings.Builder) {
	if t.caption != "" {
		fmt.Fprintf(b, "%s\n\n", plain(t.caption))
	}
	row := func(cells []string, link string) {
		b.WriteByte('|')
		for i, c := range cells {
			c = plain(c)
			if i == 0 && link != "" {
				c = fmt.Sprintf("[%s](#%s)", c, link)
			}
			fmt.Fprintf(b, " %s |", c)
		}
		b.WriteByte('\n')
	}
	row(t.header, "")
	for i := range t.header {
		if i > 0 && t.figures {
			b.WriteString("|--:")
		} else {
			b.WriteString("|---")
		}
	}
	b.WriteString("|\n")
	for i, cells := range t.rows {
		row(cells, t.link(i))
	}
}

// link returns where a row leads to.
func (t table) link(i int) string {
	if i < len(t.links) {
		return t.links[i]
	}
	return ""
}

// plain keeps Markdown from reading signs into a text.
func plain(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "\n", " ").Replace(text)
}

package report

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

// page writes the document as one file that needs nothing else: the plots are in
// it, and nothing is fetched or run.
func (d *document) page() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"+
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>%s</title>\n<style>%s</style>\n</head>\n<body>\n<h1>%s</h1>\n",
		html.EscapeString(d.title), css, html.EscapeString(d.title))
	for i, block := range d.blocks {
		if _, ok := block.(heading); ok && i > 0 && !d.headed(i) {
			d.contents(&b)
		}
		writeBlock(&b, block)
	}
	b.WriteString("</body>\n</html>\n")
	return []byte(b.String())
}

// headed reports whether a heading stands before block i.
func (d *document) headed(i int) bool {
	for _, block := range d.blocks[:i] {
		if _, ok := block.(heading); ok {
			return true
		}
	}
	return false
}

// contents writes the table of contents.
func (d *document) contents(b *strings.Builder) {
	b.WriteString("<nav aria-label=\"Contents\"><h2>Contents</h2><ol>\n")
	open := false
	for _, block := range d.blocks {
		h, ok := block.(heading)
		switch {
		case !ok:
			continue
		case h.level == 3 && !open:
			b.WriteString("<ol>\n")
		case h.level == 2 && open:
			b.WriteString("</ol>\n")
		}
		open = h.level == 3
		fmt.Fprintf(b, "<li><a href=\"#%s\">%s</a>\n", h.id, html.EscapeString(h.text))
	}
	if open {
		b.WriteString("</ol>\n")
	}
	b.WriteString("</ol></nav>\n")
}

func writeBlock(b *strings.Builder, block any) {
	esc := html.EscapeString
	switch x := block.(type) {
	case heading:
		fmt.Fprintf(b, "<h%d id=%q>%s</h%d>\n", x.level, x.id, esc(x.text), x.level)
	case paragraph:
		b.WriteString("<p>")
		if x.label != "" {
			fmt.Fprintf(b, "<b>%s:</b> ", esc(x.label))
		}
		fmt.Fprintf(b, "%s</p>\n", esc(x.text))
	case warning:
		fmt.Fprintf(b, "<p class=\"warning\">%s</p>\n", esc(x.text))
	case beside:
		fmt.Fprintf(b, "<div class=\"beside\"><div><b>%s</b><p>%s</p></div><div><b>%s</b><p>%s</p></div></div>\n", esc(x.left), esc(x.leftText), esc(x.right), esc(x.rightText))
	case list:
		if x.label != "" {
			fmt.Fprintf(b, "<p><b>%s:</b></p>\n", esc(x.label))
		}
		b.WriteString("<ul>\n")
		for _, item := range x.items {
			fmt.Fprintf(b, "<li>%s</li>\n", esc(item))
		}
		b.WriteString("</ul>\n")
	case table:
		x.html(b)
	case graph:
		fmt.Fprintf(b, "<figure>\n%s<figcaption>%s</figcaption>\n</figure>\n", inline(x.svg), esc(x.caption))
	}
}

func (t table) html(b *strings.Builder) {
	esc := html.EscapeString
	b.WriteString("<div class=\"wide\"><table")
	if t.figures {
		b.WriteString(" class=\"figures\"")
	}
	b.WriteString(">\n")
	if t.caption != "" {
		fmt.Fprintf(b, "<caption>%s</caption>\n", esc(t.caption))
	}
	b.WriteString("<thead><tr>")
	for _, h := range t.header {
		fmt.Fprintf(b, "<th scope=\"col\">%s</th>", esc(h))
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for i, cells := range t.rows {
		b.WriteString("<tr>")
		for k, c := range cells {
			c = esc(c)
			if k == 0 && t.link(i) != "" {
				c = fmt.Sprintf("<a href=\"#%s\">%s</a>", t.link(i), c)
			}
			if k == 0 && t.figures {
				fmt.Fprintf(b, "<th scope=\"row\">%s</th>", c)
				continue
			}
			fmt.Fprintf(b, "<td>%s</td>", c)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody>\n</table></div>\n")
}

// size is a drawing's own size, in place of which the page's style gives one.
var size = regexp.MustCompile(`<svg width="[^"]*" height="[^"]*"`)

// inline returns a drawing as it stands in a page.
func inline(svg []byte) string {
	text := string(svg)
	return size.ReplaceAllString(text[strings.Index(text, "<svg"):], "<svg")
}

const css = `
:root { color-scheme: light; }
body { background: #fff; color: #1a1a1a; font: 16px/1.5 "Liberation Sans", Arial, Helvetica, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { font-size: 1.35rem; margin-top: 2.5rem; border-bottom: 1px solid #bbb; }
h3 { font-size: 1.15rem; margin-top: 2rem; }
a { color: #0b4f8a; }
nav { background: #f5f5f5; padding: .5rem 1rem; }
nav h2 { margin: .3rem 0; border: 0; font-size: 1.1rem; }
.warning { border-left: 4px solid #d55e00; background: #fdf3ec; padding: .5rem .8rem; }
nav ol { list-style: none; padding-left: 1rem; margin: .2rem 0; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0 1.5rem; margin: 1rem 0; }
.beside div { border-top: 2px solid #666; padding-top: .3rem; }
.beside p { margin: .3rem 0; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; line-height: 1.35; min-width: 60%; }
caption { text-align: left; padding-bottom: .3rem; color: #444; }
th, td { border-bottom: 1px solid #ccc; padding: .25rem .6rem; text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid #666; }
td { min-width: 5.5rem; }
.figures td { min-width: 0; }
.figures { font-variant-numeric: tabular-nums; }
.figures th, .figures td { text-align: right; }
.figures tbody th { font-weight: normal; white-space: nowrap; }
figure { margin: 1.2rem 0; }
figure svg { display: block; width: 100%; max-width: 46rem; height: auto; }
figcaption { font-size: .88rem; color: #333; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  a { color: inherit; text-decoration: none; }
  nav ol { list-style: none; padding-left: 1rem; margin: .2rem 0; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0 1.5rem; margin: 1rem 0; }
.beside div { border-top: 2px solid #666; padding-top: .3rem; }
.beside p { margin: .3rem 0; }
.wide { overflow: visible; }
  table { font-size: 8.5pt; }
  td { min-width: 0; }
  figure svg { max-width: 15cm; }
  h2, h3, caption { break-after: avoid; }
  figure, tr, .warning, .beside div { break-inside: avoid; }
}
@page { margin: 1.8cm; }
`

package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"nsmodel/compare"
)

// fixed is an experiment whose samples are given: x in 0, 10 and 1000.
func fixed(fail error) *compare.Experiment {
	values := map[string][]float64{ // median, and how much rounds scatter about it
		"model tagged, fixed size 0": {100, 1}, "model replicated 0": {100, 30},
		"model tagged, fixed size 10": {250, 2}, "model replicated 10": {101, 1},
		"model tagged, fixed size 1000": {98765, 10}, "model replicated 1000": {102, 1},
		"kernel tagged, fixed size 0": {4000, 10}, "kernel replicated 0": {4000, 10},
		"kernel tagged, fixed size 1000": {8000, 10}, "kernel replicated 1000": {4000, 10},
	}
	const fig = "main"
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return &compare.Experiment{
		Number: 42, Name: "fixed", Question: "What <b>is</b> it | worth?", Sources: []string{"a commit_with_underscores (123456789abc, 2022)"},
		Workload: "the workload", Measured: "a sample & its unit", Expected: "nothing at all.", Kernel: "the same there",
		Figures: []compare.Figure{{Name: fig, Title: "A <datagram> & others", X: "entries of others", Y: "CPU time (ns)", LogX: true, LogY: true,
			Published: []compare.Curve{{Label: "theirs", Source: "their commit", X: []float64{1, 1 << 24}, Y: []float64{1, 2.5}, Relative: true}}},
			{Name: "empty", Title: "Never measured", X: "x", Y: "y (ns)"}},
		Pairs: []compare.Pair{
			{Name: "far", Figure: fig, Above: compare.Point{Series: "tagged, fixed size", X: 1000}, Below: compare.Point{Series: "replicated", X: 1000}, Cause: "The cause is this."},
			{Name: "none", Figure: fig, Above: compare.Point{Series: "tagged, fixed size", X: 0}, Below: compare.Point{Series: "replicated", X: 0}}},
		Run: func(r *compare.Run) error {
			var arms []compare.Arm
			for _, name := range names {
				var k compare.Key
				side, rest, _ := strings.Cut(name, " ")
				i := strings.LastIndex(rest, " ")
				if _, err := fmt.Sscan(rest[i+1:], &k.X); err != nil {
					return err
				}
				k.Figure, k.Side, k.Series = fig, side, rest[:i]
				arms = append(arms, compare.Arm{Key: k, Open: func() (*compare.Stand, error) {
					round := -3.0
					return &compare.Stand{Rounds: 5, Cold: true, Sample: func() (float64, error) { round++; return values[name][0] + round*values[name][1], nil }}, nil
				}})
			}
			gone := compare.Arm{Key: compare.Key{Figure: fig, Side: compare.Kernel, Series: "gone"}, Open: func() (*compare.Stand, error) {
				return nil, fmt.Errorf("%w: no such sysctl", compare.ErrNotHere)
			}}
			return errors.Join(r.Group("all of it", append(arms, gone)...), fail)
		},
		Answer: func(d *compare.Data) string {
			return "Among 123456 entries it costs " + d.Ratio(compare.Key{Figure: fig, Side: compare.Model, Series: "tagged, fixed size", X: 1000}, compare.Key{Figure: fig, Side: compare.Model, Series: "replicated", X: 1000}).String() + ". A second sentence."
		},
	}
}

// written returns a report's files of the fixed experiment.
func written(t *testing.T, e *compare.Experiment) (dir string, file func(string) string) {
	t.Helper()
	dir = t.TempDir()
	store, err := compare.OpenStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	o := compare.Origin{Scale: "quick", Commit: "feedface0123 (modified)", CPU: "A processor", Cores: 2, Memory: "7.8 GiB", Kernel: "Linux 6.18", Go: "go1.26"}
	if err := store.Begin(o, []*compare.Experiment{e}, false); err != nil {
		t.Fatal(err)
	}
	r := compare.NewRun(compare.Quick, store)
	r.Boxed = true
	_, _ = r.Do(e) // a failure is the report's to tell
	if err := Write(dir, store, []*compare.Experiment{e}); err != nil {
		t.Fatal(err)
	}
	return dir, func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func wants(t *testing.T, what, text string, list ...string) {
	t.Helper()
	text = strings.ReplaceAll(text, "\u00a0", " ")
	for _, want := range list {
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", what, want, text)
		}
	}
}

// What was measured is in the report, on both sides, in both forms.
func TestReportSaysWhatWasMeasured(t *testing.T) {
	_, file := written(t, fixed(nil))
	md, page := file("report.md"), readable(t, file("report.html"))
	for what, text := range map[string]string{"md": md, "html": page} {
		wants(t, what, text,
			"98,765 (98,755 to 98,775)", "8,000 (7,990 to 8,010)", "102 (101 to 103)", // medians and quartiles
			"no difference seen (x0.64 to x2.45)", "x2.48", "x968", // ratios; the first scatters by more than it differs
			"Of 2 ratios measured on both, the sign is right in 2, not contradicted in 0, and wrong in 0; in 1 there is no size to compare, as neither side sees a difference; of the other 1 the size is within 25 % in 0, and on the kernel's base in 0 more.",
			"off: the model's ratio is 484 times the kernel's", "The cause is this.", "right: no difference seen on either side",
			"Among 123,456 entries it costs x968", "A second sentence.", "nothing at all.",
			"all of it, kernel gone: not measured: no such sysctl",
			"Figure 42.2, Never measured", "published figures, their commit",
			"feedface0123 (modified)", "A processor", "7.8 GiB", "Linux 6.18", "The code had changes that are in no commit.")
	}
	wants(t, "md", md, `What &lt;b>is&lt;/b> it \| worth?`, `commit\_with\_underscores`, "![A &lt;datagram> & others](plots/42-fixed-main.svg)")
	wants(t, "html", page, "What <b>is</b> it | worth?", "A sample & its unit.")
	wants(t, "machine.txt", file("machine.txt"), "CPU: A processor\n", "Cores: 2\n", "Commit of nsmodel: feedface0123 (modified)\n", "42 fixed\t")
}

// An experiment that failed is told, with what it had measured by then.
func TestReportOfAFailure(t *testing.T) {
	_, file := written(t, fixed(errors.New("the table caught fire")))
	wants(t, "md", file("report.md"), "Experiment 42, fixed, failed: the table caught fire.", "98,765")
}

// readable returns what can be read in a page.
func readable(t *testing.T, page string) string {
	t.Helper()
	var b strings.Builder
	walk(t, page, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	})
	return b.String()
}

// walk parses a page and visits its nodes.
func walk(t *testing.T, page string, visit func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var down func(*html.Node)
	down = func(n *html.Node) {
		visit(n)
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			down(c)
		}
	}
	down(root)
}

// The page is whole in itself: every element is closed, every link leads to a
// place in it, and nothing is fetched or run.
func TestPageNeedsNothingElse(t *testing.T) {
	_, file := written(t, fixed(nil))
	page := file("report.html")
	ids, links, plots := map[string]bool{}, []string{}, 0
	walk(t, page, func(n *html.Node) {
		if n.Type != html.ElementNode {
			return
		}
		switch n.Data {
		case "script", "link", "iframe", "img", "image", "object", "embed", "audio", "video", "base":
			t.Errorf("a <%s>", n.Data)
		case "svg":
			plots++
		}
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				if ids[a.Val] {
					t.Errorf("two elements have the id %s", a.Val)
				}
				ids[a.Val] = true
			case "href":
				links = append(links, a.Val)
			case "src", "srcset", "background", "action", "data":
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
			if strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s> runs %s", n.Data, a.Key)
			}
		}
	})
	for _, l := range links {
		if !strings.HasPrefix(l, "#") || !ids[strings.TrimPrefix(l, "#")] {
			t.Errorf("a link to %s", l)
		}
	}
	if plots != 1 || len(links) < 5 {
		t.Errorf("%d plots, %d links", plots, len(links))
	}
	for _, way := range []string{"url(", "@import", "xlink:href"} {
		if strings.Contains(page, way) {
			t.Errorf("the page has %s", way)
		}
	}
	if left := unclosed(page); left != "" {
		t.Errorf("not closed: %s", left)
	}
}

// unclosed returns the first element that is opened or closed too often.
func unclosed(page string) string {
	var open []string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(open, " ")
		case html.StartTagToken:
			name, _ := z.TagName()
			if n := string(name); n != "meta" && n != "li" {
				open = append(open, n)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if n := string(name); n != "li" {
				if len(open) == 0 || open[len(open)-1] != n {
					return fmt.Sprintf("</%s> after %v", n, open)
				}
				open = open[:len(open)-1]
			}
		}
	}
}

// Every plot is XML, says what its axes are and in which units, uses a font that
// every browser has, and draws inside its frame.
func TestPlots(t *testing.T) {
	dir, _ := written(t, fixed(nil))
	paths, err := filepath.Glob(filepath.Join(dir, "plots", "*.svg"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v", paths, err)
	}
	svg, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	in := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			in = x.Name.Local
			for _, a := range x.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("<%s %s=%q>", in, a.Name.Local, a.Value)
				}
			}
		case xml.CharData:
			if in == "text" && strings.TrimSpace(string(x)) != "" {
				said = append(said, string(x))
			}
		}
	}
	for _, want := range []string{"A <datagram> & others", "entries of others, log scale", "CPU time (ns), log scale", "0", "1k", "10M",
		"model: tagged, fixed size", "kernel: replicated", "published: theirs"} {
		if !slices.Contains(said, want) {
			t.Errorf("no text %q among %q", want, said)
		}
	}
	if !strings.Contains(string(svg), "sans-serif") || strings.Contains(string(svg), "Serif;") {
		t.Error("not in a font that every browser has")
	}
	// Dashed for the kernel, dotted for what was published, seven colours at most.
	wants(t, "svg", string(svg), "stroke-dasharray:6,3", "stroke-dasharray:1,2.5", "#0072B2")
}

// Figures of every experiment can be drawn, whatever was measured: nothing but
// zeros, one point, values that differ by little or by a lot.
func TestEveryFigureCanBeDrawn(t *testing.T) {
	for _, log := range []bool{false, true} {
		for _, values := range [][]float64{{0}, {0, 0}, {5}, {0, 5}, {1000, 1001}, {1e-9, 1e12}, {3, 4, 5}, {-1, 1}} {
			f := &compare.Figure{Name: "f", Title: "t", X: "x", Y: "y (ns)", LogX: log, LogY: log}
			s := &series{label: "s", side: compare.Model}
			for _, v := range values {
				s.points = append(s.points, point{v, v, v - math.Abs(v)/2, v + math.Abs(v)/2})
			}
			d := newDrawing(f, []*series{s})
			svg, err := d.svg()
			if err != nil || strings.Contains(string(svg), "NaN") || strings.Contains(string(svg), "Inf") {
				t.Errorf("log %v, %v: %v", log, values, err)
			}
			for _, sc := range []*scale{d.x, d.y} {
				labels := 0
				for _, k := range sc.ticks {
					if k.label != "" && k.at >= sc.min && k.at <= sc.max {
						labels++
					}
				}
				if labels < min(2, len(slices.Compact(slices.Clone(values)))) || labels > 12 {
					t.Errorf("log %v, %v: %d labels on an axis", log, values, labels)
				}
			}
		}
	}
}

// On a logarithmic axis 0 has a place of its own, apart from the rest.
func TestZeroOnALogAxis(t *testing.T) {
	s := newScale([]float64{0, 1, 10, 1000}, true, false)
	if zero, one := s.at(0), s.at(1); zero > one-0.5 || zero < s.min {
		t.Errorf("0 is at %v, 1 at %v, the axis begins at %v", zero, one, s.min)
	}
	if !slices.Contains(s.ticks, tick{s.at(0), "0"}) {
		t.Errorf("no tick for 0 among %v", s.ticks)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 999: "999", 1000: "1,000", 1e6: "1,000,000", 0.25: "0.25", -1234.5: "-1,234.5"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
	if got := number(math.Copysign(0, -1)); got != "0" {
		t.Errorf("-0 is %s", got)
	}
	for v, want := range map[float64]string{0: "0", 6.9724: "6.97", 329.1: "329", 21484.3: "21,484", 0.001234: "0.00123"} {
		if got := digits(v); got != want {
			t.Errorf("digits(%v) = %s, want %s", v, got, want)
		}
	}
	for in, want := range map[string]string{
		"Among 1000000 entries x2960 (x2889 to x3214).": "Among 1,000,000 entries x2,960 (x2,889 to x3,214).",
		"355b98553789, CVE-2019-10639, 1.2345":          "355b98553789, CVE-2019-10639, 1.2345",
	} {
		if got := grouped(in); got != want {
			t.Errorf("grouped(%q) = %q", in, got)
		}
	}
}

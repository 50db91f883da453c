package lab

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
)

// rewrite needs a machine without named Nets of its own, or one hidden from it:
//
//	unshare -mn sh -c 'mount -t tmpfs none /run/netns; go test ./lab -rewrite'
var rewrite = flag.Bool("rewrite", false, "make the printers' goldens anew, as root, with the kernel and iproute2 of this machine")

// dumps are what print.state keeps of each Net: enough to fill the messages.
var dumps = map[string][]string{
	"links":  {"ip", "-j", "-d", "-s", "-s", "link"},
	"addrs":  {"ip", "-j", "addr"},
	"routes": {"ip", "-j", "route", "show", "table", "all"},
	"rules":  {"ip", "-j", "-d", "rule"},
	"neighs": {"ip", "-j", "neigh", "show", "nud", "all"},
	"proxy":  {"ip", "-j", "neigh", "show", "proxy"},
	"fdb":    {"bridge", "-j", "fdb"},
	"ports":  {"bridge", "-j", "link"},
	"nets":   {"ip", "-j", "netns", "list"},
}

// state is print.state: Net, then dump or "get ARGS", then iproute2's JSON.
type state map[string]map[string]json.RawMessage

func real(words []string) (out, errs string, exit int) {
	var o, e bytes.Buffer
	c := exec.Command(words[0], words[1:]...)
	c.Stdout, c.Stderr = &o, &e
	if err := c.Run(); err != nil {
		exit = 127
		if x, ok := err.(*exec.ExitError); ok {
			exit = x.ExitCode()
		}
	}
	return o.String(), e.String(), exit
}

func readLab(t *testing.T, name string) []Line {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Lex(name, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// ask returns the words of a route get in JSON, "" if l is none.
func ask(l Line) (net, args string) {
	w := l.Words
	if i := strings.Index(l.Text, "route get "); i >= 0 && w[1] == "-n" {
		return w[2], l.Text[i+len("route get "):]
	}
	return "", ""
}

// remake builds the state on the real kernel and writes down what it says.
func remake(t *testing.T, lab []Line) {
	if os.Getuid() != 0 {
		t.Skip("-rewrite needs root")
	}
	defer real([]string{"ip", "netns", "del", "lga"})
	defer real([]string{"ip", "netns", "del", "lgb"})
	for _, l := range readLab(t, "print.setup") {
		if _, errs, exit := real(l.Words); exit != 0 {
			t.Fatalf("line %d: %s: %s", l.Num, l.Text, errs)
		}
	}
	time.Sleep(2 * time.Second) // until the carriers are up; then the lifetimes begin anew
	real(strings.Fields("ip -n lga addr replace 172.16.0.1/16 dev br0 scope link valid_lft 3600 preferred_lft 1800"))
	s := make(state)
	for _, net := range []string{"", "lga", "lgb"} {
		s[net] = make(map[string]json.RawMessage)
		for name, words := range dumps {
			if net == "" && name != "nets" {
				continue
			}
			if net != "" {
				words = append([]string{words[0], "-n", net}, words[1:]...)
			}
			out, _, _ := real(words)
			s[net][name] = json.RawMessage(strings.TrimSpace(out))
		}
	}
	var golden, usage strings.Builder
	for _, l := range lab {
		if net, args := ask(l); net != "" {
			if out, _, exit := real(append([]string{"ip", "-j", "-n", net, "route", "get"}, strings.Fields(args)...)); exit == 0 {
				s[net]["get "+args] = json.RawMessage(strings.TrimSpace(out))
			}
		}
		out, errs, exit := real(l.Words)
		golden.WriteString(Result{l, out, errs, exit}.String())
	}
	for _, l := range readLab(t, "usage.lab") {
		out, errs, exit := real(l.Words)
		usage.WriteString(Result{l, out, errs, exit}.String())
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"print.state": append(text, '\n'), "print.golden": []byte(golden.String()),
		"usage.golden": []byte(usage.String())} {
		if err := os.WriteFile("testdata/"+name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// load fills a toy with a state.
func load(t *testing.T, s state) *toy {
	m := &toy{nets: make(map[string]*toyNet)}
	for _, o := range objects(t, s[""]["nets"]) {
		m.names = append(m.names, o.s("name"))
	}
	for net, dump := range s {
		n := &toyNet{gets: make(map[string][]netlink.Message)}
		m.nets[net] = n
		r := &reader{index: make(map[string]int), ids: make(map[int]string)}
		for _, o := range objects(t, dump["nets"]) {
			id := netlink.NSIDNone
			if o.has("id") {
				id = o.n("id")
				r.ids[id] = o.s("name")
			}
			n.msgs = append(n.msgs, &netlink.NSID{Name: o.s("name"), ID: id})
		}
		if net == "" {
			continue
		}
		links := objects(t, dump["links"])
		for _, o := range links {
			r.index[o.s("ifname")] = o.n("ifindex")
		}
		for _, o := range links {
			n.msgs = append(n.msgs, r.link(o))
		}
		for _, o := range objects(t, dump["addrs"]) {
			for _, a := range o.list("addr_info") {
				n.msgs = append(n.msgs, r.addr(o.n("ifindex"), a))
			}
		}
		for _, o := range objects(t, dump["routes"]) {
			n.msgs = append(n.msgs, r.route(o))
		}
		for _, o := range objects(t, dump["rules"]) {
			n.msgs = append(n.msgs, r.rule(o))
		}
		for _, o := range append(objects(t, dump["neighs"]), objects(t, dump["proxy"])...) {
			n.msgs = append(n.msgs, r.neigh(o))
		}
		for _, o := range objects(t, dump["fdb"]) {
			n.msgs = append(n.msgs, r.fdb(o))
		}
		for _, o := range objects(t, dump["ports"]) {
			l := *findLink(n, o.s("ifname"))
			l.Family = unix.AF_BRIDGE
			l.BridgePort = &netlink.BridgePort{State: 3, Priority: uint16(o.n("priority")), Cost: uint32(o.n("cost"))}
			n.msgs = append(n.msgs, &l)
		}
		for key, text := range dump {
			if args, ok := strings.CutPrefix(key, "get "); ok {
				n.gets[askedFor(t, r, args)] = []netlink.Message{r.route(objects(t, text)[0])}
			}
		}
	}
	return m
}

func findLink(n *toyNet, name string) *netlink.Link {
	for _, m := range n.msgs {
		if l, ok := m.(*netlink.Link); ok && l.Name == name {
			return l
		}
	}
	return nil
}

// askedFor returns the key under which the toy finds a get's answer.
func askedFor(t *testing.T, r *reader, args string) string {
	c, err := Parse(Line{Words: append([]string{"ip", "route", "get"}, strings.Fields(args)...)})
	if err != nil {
		t.Fatal(err)
	}
	g := c.Do.(*RouteGet)
	for _, d := range g.Devs {
		setIndex(g.Req.Msg, d, r.index[d.Name])
	}
	return getKey(g.Req.Msg.(*netlink.Route))
}

// TestGolden lets the printers show a state that a real kernel has had, and
// compares with what iproute2 6.1.0 printed then.
func TestGolden(t *testing.T) {
	lab := readLab(t, "print.lab")
	if *rewrite {
		remake(t, lab)
	}
	m := load(t, readState(t))
	compare(t, m, lab, "print.golden")
}

// TestUsage does the same with what the tools refuse.
func TestUsage(t *testing.T) {
	m := load(t, readState(t))
	compare(t, m, readLab(t, "usage.lab"), "usage.golden")
	if len(m.changes) > 0 {
		t.Errorf("something took effect: %q", m.asked)
	}
}

func readState(t *testing.T) state {
	t.Helper()
	var s state
	text, err := os.ReadFile("testdata/print.state")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// compare runs a lab on m and looks for each command's share of a transcript.
func compare(t *testing.T, m *toy, lab []Line, file string) {
	golden, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	in := New(m)
	rest := string(golden)
	for _, l := range lab {
		want, after, more := strings.Cut(rest[2:], "\n$ ")
		want = "$ " + want
		if rest = "$ " + after; more {
			want += "\n"
		}
		t.Run(fmt.Sprintf("%d", l.Num), func(t *testing.T) {
			r, err := in.Run(l)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.String(); got != want {
				t.Errorf("%s\n%s", l.Text, firstDifference(got, want))
			}
		})
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("first difference\n%q\n%q", x[i], y[i])
		}
	}
	return "one is longer"
}

package conformance

import (
	"fmt"
	"slices"
	"strings"

	"nsmodel/core/netlink"
	"nsmodel/lab"
)

// A soloPlan says whose each command is. Nets with a path to each other are a
// group and are judged together, since the same commands go and stay. A group
// goes by its first name.
//
// A path is made by any command that names two Nets, whether it worked or not,
// and stays: a veth pair, a move, a device that stands on another, a number for
// a Net. The initial Net counts as any other.
type soloPlan struct {
	lines  []lab.Line
	owner  []string // of each command its group, or everybody
	shown  []bool   // of each command whether its words are one group's to see
	groups []string
	nets   map[string][]string // of each group
	notes  []string            // what is not compared
}

const everybody = "*"

// paths joins Nets that have a path to each other.
type paths map[string]string

// root returns the group that a Net is in.
func (p paths) root(n string) string {
	if _, known := p[n]; !known {
		p[n] = n
	}
	for p[n] != n {
		n = p[n]
	}
	return n
}

// join makes a path.
func (p paths) join(a, b string) {
	a, b = p.root(a), p.root(b)
	p[max(a, b)] = min(a, b)
}

// partition finds the groups of Nets.
func partition(lines []lab.Line) *soloPlan {
	p := &soloPlan{lines: lines, nets: map[string][]string{}}
	joined := paths{"": ""}
	about := make([][]string, len(lines))
	for i, line := range lines {
		c, _ := lab.Parse(line)
		if c == nil { // refused: it acts nowhere
			continue
		}
		about[i] = reach(c)
		for _, n := range about[i] {
			joined.join(about[i][0], n)
		}
	}
	for i, line := range lines {
		if c, _ := lab.Parse(line); c != nil && everyNet(c) {
			for n := range joined {
				joined.join("", n)
			}
			p.note(i, "goes through every namespace, so that they all count as linked")
		}
	}
	for n := range joined {
		g := joined.root(n)
		p.nets[g] = append(p.nets[g], n)
	}
	for g, nets := range p.nets {
		slices.Sort(nets)
		p.groups = append(p.groups, g)
	}
	slices.Sort(p.groups)
	for i, line := range lines {
		owner, why := everybody, ""
		if c, _ := lab.Parse(line); c != nil {
			if why = global(c); why == "" {
				owner = joined.root(about[i][0])
			} else {
				p.note(i, "is not compared: "+why)
			}
		}
		p.owner, p.shown = append(p.owner, owner), append(p.shown, why == "")
	}
	return p
}

func (p *soloPlan) note(i int, why string) {
	p.notes = append(p.notes, fmt.Sprintf("%q %s", p.lines[i].Text, why))
}

// reach returns the Nets that a command is about: first that whose command it
// is, then those it names.
func reach(c *lab.Command) []string {
	nets := []string{c.Net}
	switch do := c.Do.(type) {
	case *lab.Change:
		l, _ := do.Req.Msg.(*netlink.Link)
		for ; l != nil; l = l.Peer {
			if l.Has&netlink.LinkNewNet != 0 {
				nets = append(nets, l.NewNet)
			}
			if l.NewNet == "1" { // process 1 lives in the initial Net
				nets = append(nets, "")
			}
		}
	case *lab.Netns:
		switch {
		case do.Verb == "list" || do.Verb == "list-id":
		case c.Net == "" && do.Verb != "set": // born and deleted by nobody
			nets = []string{do.Name}
		default:
			nets = append(nets, do.Name)
		}
	case *lab.Batch:
		lines, _ := lab.Lex("-", do.Input)
		for _, line := range lines {
			words := []string{c.Tool}
			if c.Net != "" && c.Tool == "ip" {
				words = append(words, "-n", c.Net)
			}
			line.Words = append(words, line.Words...)
			if inner, _ := lab.Parse(line); inner != nil {
				nets = append(nets, reach(inner)...)
			}
		}
	}
	return nets
}

// everyNet reports whether a command acts in every Net there is.
func everyNet(c *lab.Command) bool {
	_, all := c.Do.(*lab.ExecAll)
	return all
}

// global says why a command's words are no single Net's to see, "" if they are.
// Such commands change nothing: they run in every run and are not compared.
func global(c *lab.Command) string {
	switch do := c.Do.(type) {
	case *lab.Netns:
		if do.Verb == "list" {
			return "it names every namespace of the machine, as Linux's /run/netns does"
		}
	case *lab.Probe:
		if do.Verb == lab.Ledger {
			return "it balances the books of the whole machine"
		}
	}
	return ""
}

// describe names the Nets of a group.
func (p *soloPlan) describe(group string) string {
	var names []string
	for _, n := range p.nets[group] {
		names = append(names, called(n))
	}
	return strings.Join(names, ", ")
}

// withStrangers puts after each command the same one for Nets of other names.
// A note says why it did not.
func withStrangers(lines []lab.Line) (out []lab.Line, note string) {
	out = append(out, command("ip", "netns", "add", strange("")))
	for _, line := range lines {
		out = append(out, line)
		c, _ := lab.Parse(line)
		if c == nil || global(c) != "" {
			continue
		}
		other := line
		other.Words = strangely(line.Words, c)
		other.Text = strings.Join(other.Words, " ")
		want := reach(c)
		for i := range want {
			want[i] = strange(want[i])
		}
		d, _ := lab.Parse(other)
		if d == nil || everyNet(d) || !slices.Equal(slices.Compact(reach(d)), slices.Compact(want)) {
			return lines, fmt.Sprintf("no strangers beside this lab: %q cannot be said of other namespaces", line.Text)
		}
		out = append(out, other)
	}
	return out, ""
}

// strange returns the name of a Net's stranger.
func strange(net string) string {
	if net == "" || net == "1" { // process 1 lives in the initial Net
		return "other-initial"
	}
	return "other-" + net
}

// strangely returns a command's words as they are for strangers.
func strangely(words []string, c *lab.Command) []string {
	out := slices.Clone(words)
	verbs := []string{"add", "set", "exec", "del", "delete"}
	isNetns := func(w string) bool { return len(w) > 2 && strings.HasPrefix("netns", w) }
	for i := 1; i < len(out); i++ {
		prev := words[i-1]
		switch {
		case i > 1 && isNetns(words[i-2]) && slices.Contains(verbs, prev),
			len(prev) > 1 && strings.HasPrefix("-netns", prev),
			prev == "netns" && i > 2 && !slices.Contains(verbs, words[i]): // of a link
			out[i] = strange(words[i])
		}
	}
	if n, ok := c.Do.(*lab.Netns); c.Net == "" && (!ok || n.Verb == "set" || n.Verb == "list-id") {
		out = append([]string{"ip", "netns", "exec", strange("")}, out...)
	}
	return out
}

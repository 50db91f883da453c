package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nsmodel"
	"nsmodel/core/netlink"
	"nsmodel/lab"
	"nsmodel/netns"
)

// soloVariants are the machines on which the solo judge works: in the second
// all Nets share every table, so that what leaks there has a place to leak.
func soloVariants() []Variant {
	return []Variant{
		{Name: "default"},
		{Name: "all=tagged", Config: nsmodel.Config{Place: nsmodel.AllPlaces(netns.Tagged)}},
	}
}

// JudgeSolo takes away, for each Net, the commands of all Nets that it has no
// path to, lets the same virtual time pass, and compares what is left of the
// transcript, and the Net's end state, with those among the others.
//
// A path is made by any command that names two Nets, whether it worked or not,
// and stays: a veth pair, a move, a device that stands on another, a number for
// a Net. The initial Net counts as any other. Nets with a path to each other
// are judged together, since the same commands go and stay.
func JudgeSolo(l *Lab) Finding {
	plan := partition(l)
	var worst failures
	runs := 0
	for _, v := range soloVariants() {
		full, err := plan.run(l, v, "", nil)
		if err != nil {
			return failed("%s: %v\n", v.Name, err)
		}
		for _, group := range plan.groups {
			if !plan.removes(group) {
				continue
			}
			runs++
			alone, err := plan.run(l, v, group, full)
			if err != nil {
				return failed("%s: %v\n", v.Name, err)
			}
			name := fmt.Sprintf("%s under %s", plan.describe(group), v.Name)
			worst.add("- among all, + alone: "+name, name, compare(plan.seen(full, group), plan.seen(alone, group)))
		}
	}
	f := worst.finding()
	if runs == 0 {
		f = skipped("every namespace has a path to every other")
	}
	f.Notes = plan.notes
	return f
}

// A soloPlan says whose each command of a lab is. A group of Nets with paths
// to each other goes by its first name; "*" is everybody's.
type soloPlan struct {
	owner  []string            // of each command
	shown  []bool              // whether a command's words are one group's to see
	nets   map[string][]string // of each group
	groups []string
	notes  []string
}

const everybody = "*"

// partition finds the groups of a lab's Nets.
func partition(l *Lab) *soloPlan {
	p := &soloPlan{nets: map[string][]string{}}
	cmds := make([]*lab.Command, len(l.Lines))
	reached := make([][]string, len(l.Lines))
	parent := map[string]string{"": ""}
	root := func(n string) string {
		if _, ok := parent[n]; !ok {
			parent[n] = n
		}
		for parent[n] != n {
			n = parent[n]
		}
		return n
	}
	for i, line := range l.Lines {
		cmds[i], _ = lab.Parse(line) // refused: it acts nowhere
		if cmds[i] == nil {
			continue
		}
		reached[i] = reach(cmds[i])
		for _, n := range reached[i] {
			a, b := root(reached[i][0]), root(n)
			parent[max(a, b)] = min(a, b)
		}
	}
	for i, c := range cmds {
		if c != nil && everyNet(c) {
			for n := range parent {
				parent[root(n)] = ""
			}
			p.notes = append(p.notes, "\""+l.Lines[i].Text+"\" goes through every namespace: they all count as linked")
		}
	}
	for n := range parent {
		p.nets[root(n)] = append(p.nets[root(n)], n)
	}
	for g, nets := range p.nets {
		slices.Sort(nets)
		p.groups = append(p.groups, g)
	}
	slices.Sort(p.groups)
	for i, c := range cmds {
		owner, why := everybody, ""
		if c != nil {
			if why = global(c); why == "" {
				owner = root(reached[i][0])
			}
		}
		p.owner, p.shown = append(p.owner, owner), append(p.shown, why == "")
		if why != "" {
			p.notes = append(p.notes, fmt.Sprintf("line %d, \"%s\", is not compared: %s", l.Lines[i].Num, l.Lines[i].Text, why))
		}
	}
	return p
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

// removes reports whether anything goes if only group stays.
func (p *soloPlan) removes(group string) bool {
	return slices.ContainsFunc(p.owner, func(o string) bool { return o != group && o != everybody })
}

// describe names the Nets of a group.
func (p *soloPlan) describe(group string) string {
	var names []string
	for _, n := range p.nets[group] {
		if n == "" {
			n = "the initial namespace"
		}
		names = append(names, n)
	}
	return strings.Join(names, ", ")
}

// A soloRun is what commands said on one machine, and when they began.
type soloRun struct {
	said  []*said // of each command of the lab; nil: it was taken away
	began []time.Duration
	end   time.Duration
	state map[string][]said // each group's
}

// run runs a lab, or the part of it that is one group's or everybody's. Then
// each command begins when it began in the full run.
func (p *soloPlan) run(l *Lab, v Variant, group string, full *soloRun) (*soloRun, error) {
	s, err := openSession(v)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r := &soloRun{said: make([]*said, len(l.Lines)), began: make([]time.Duration, len(l.Lines)), state: map[string][]said{}}
	for i, line := range l.Lines {
		if full != nil {
			if p.owner[i] != group && p.owner[i] != everybody {
				continue
			}
			if err := s.waitUntil(full.began[i]); err != nil {
				return nil, err
			}
		}
		r.began[i] = s.h.M.Sys.Now()
		res, err := s.in.Run(line)
		if err != nil {
			return nil, err
		}
		one := raw([]lab.Result{res})[0]
		one.lines = append(one.lines, fmt.Sprintf("[began at %v]", r.began[i]))
		r.said[i] = &one
	}
	if full != nil {
		if err := s.waitUntil(full.end); err != nil {
			return nil, err
		}
	}
	r.end = s.h.M.Sys.Now()
	for _, g := range p.groups {
		if full != nil && g != group {
			continue
		}
		if r.state[g], err = s.soloState(p.nets[g]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// waitUntil lets virtual time pass, as a sleeping command would.
func (s *session) waitUntil(at time.Duration) error {
	if d := at - s.h.M.Sys.Now(); d > 0 {
		_, err := s.h.Probe("", &lab.Probe{Verb: lab.Sleep, Wait: d})
		return err
	}
	return nil
}

// soloState asks for the end state of Nets: all that stateOf asks, the
// tunables, the books with each reason for a drop, and the next random number.
func (s *session) soloState(nets []string) (out []said, err error) {
	here, err := s.h.Netns(lab.NetnsList, "")
	if err != nil {
		return nil, err
	}
	here = append(slices.DeleteFunc(here, func(n string) bool { return !slices.Contains(nets, n) }), "")
	out = append(out, said{command("the namespaces of the group, the newest first"), here})
	for _, net := range nets {
		if !slices.Contains(here, net) {
			continue
		}
		tunables := command("sysctl", "-a")
		if net != "" {
			tunables = command("ip", "netns", "exec", net, "sysctl", "-a")
		}
		rs, err := s.runAll(append(stateOfNet(net), tunables))
		if err != nil {
			return nil, err
		}
		out = append(out, raw(rs)...)
		n, err := s.h.M.Net(net)
		if err != nil {
			return nil, err
		}
		books := strings.Split(fmt.Sprintf("%+v", s.h.M.Core.Ledger(n)), " ")
		out = append(out, said{command("books of " + net), books},
			said{command("next random number of " + net), []string{fmt.Sprint(n.Uint64())}})
		n.Put()
	}
	return out, nil
}

// seen returns what of a run is a group's to see.
func (p *soloPlan) seen(r *soloRun, group string) (out []said) {
	for i, s := range r.said {
		if s != nil && p.shown[i] && (p.owner[i] == group || p.owner[i] == everybody) {
			out = append(out, *s)
		}
	}
	return append(out, r.state[group]...)
}

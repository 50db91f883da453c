package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"nsmodel"
	"nsmodel/lab"
	"nsmodel/netns"
)

// soloVariants are the machines on which the solo judge works: in the second
// all Nets share every table, so that what leaks there has a place to leak, and
// in the third all entries meet in one bucket, so that no chance is needed.
func soloVariants() []Variant {
	return []Variant{
		{Name: "default"},
		{Name: "all=tagged", Config: nsmodel.Config{Place: nsmodel.AllPlaces(netns.Tagged)}},
		{Name: "collide all=tagged", Config: nsmodel.Config{Collide: true, Place: nsmodel.AllPlaces(netns.Tagged)}},
	}
}

// JudgeSolo takes away, for each Net, the commands of all Nets that it has no
// path to, lets the same virtual time pass, and compares what is left of the
// transcript, and the Net's end state, with those among the others.
//
// Among the others are strangers: the lab's own commands once more, each after
// its original, in Nets of other names. So every Net of every lab has somebody
// to be taken for, with the same addresses, names and numbers.
func JudgeSolo(l *Lab) Finding { return JudgeSoloOn(l, soloVariants()) }

// JudgeSoloOn is JudgeSolo on machines of the caller's choice.
func JudgeSoloOn(l *Lab, vs []Variant) Finding {
	lines, note := withStrangers(l.Lines)
	plan := partition(lines)
	if note != "" {
		plan.notes = append(plan.notes, note)
	}
	var worst failures
	runs := 0
	for _, v := range vs {
		full, err := plan.run(v, "", nil)
		if err != nil {
			return failed("%s: %v\n", v.Name, err)
		}
		for _, group := range plan.groups {
			if !plan.removes(group) {
				continue
			}
			runs++
			alone, err := plan.run(v, group, full)
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

// removes reports whether anything goes if only group stays.
func (p *soloPlan) removes(group string) bool {
	return slices.ContainsFunc(p.owner, func(o string) bool { return o != group && o != everybody })
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
func (p *soloPlan) run(v Variant, group string, full *soloRun) (*soloRun, error) {
	s, err := openSession(v)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r := &soloRun{said: make([]*said, len(p.lines)), began: make([]time.Duration, len(p.lines)), state: map[string][]said{}}
	for i, line := range p.lines {
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
		books, err := json.Marshal([]any{s.h.M.Core.Ledger(n)})
		next := n.Uint64()
		n.Put()
		if err != nil {
			return nil, err
		}
		out = append(out, said{command("the books of", net), []string{string(books)}},
			said{command("the next random number of", net), []string{fmt.Sprint(next)}})
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

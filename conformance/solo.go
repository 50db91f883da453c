package conformance

import (
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
		again := func(lines []lab.Line) (head string, diff []diffLine) {
			partition(lines).trials(v, func(name string, d []diffLine) bool {
				head, diff = "- among all, + alone: "+name, d
				return len(diff) == 0
			})
			return head, diff
		}
		plan.trials(v, func(name string, diff []diffLine) bool {
			runs++
			worst.add("- among all, + alone: "+name, name, diff, again)
			return !stuck(diff)
		})
	}
	f := worst.finding(lines)
	if runs == 0 {
		f = skipped("every namespace has a path to every other")
	}
	f.Notes = plan.notes
	return f
}

// trials lets each group run alone on a machine and hands on the diff, if there
// is one, until each returns false.
func (p *soloPlan) trials(v Variant, each func(name string, diff []diffLine) bool) {
	full, err := p.run(v, "", nil)
	if err != nil {
		each("all under "+v.Name, broke(err))
		return
	}
	for _, group := range p.groups {
		if !p.removes(group) {
			continue
		}
		name := fmt.Sprintf("%s under %s", p.describe(group), v.Name)
		var diff []diffLine
		if alone, err := p.run(v, group, full); err != nil {
			diff = broke(err)
		} else {
			diff = compare(p.seen(full, group), p.seen(alone, group))
		}
		if !each(name, diff) {
			return
		}
	}
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
	if err := s.startWatch(); err != nil {
		return nil, err
	}
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
		res, err := s.do(line)
		if err != nil {
			return nil, err
		}
		one := raw([]lab.Result{res})[0]
		one.lines = append(one.lines, fmt.Sprintf(beganAt+"%v]", r.began[i]))
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

// beganAt stands before the time at which a command began.
const beganAt = "[began at "

// waitUntil lets virtual time pass, as a sleeping command would.
func (s *session) waitUntil(at time.Duration) error {
	if d := at - s.h.M.Sys.Now(); d > 0 {
		_, err := s.h.Probe("", &lab.Probe{Verb: lab.Sleep, Wait: d})
		return err
	}
	return nil
}

// soloState asks for the end state of groups of Nets: first of all of them for
// what a tool can be asked, then for what asking changes.
func (s *session) soloState(nets []string) (out []said, err error) {
	here, err := s.h.Netns(lab.NetnsList, "")
	if err != nil {
		return nil, err
	}
	of := func(name string) bool { return slices.Contains(nets, name) }
	here = append(slices.DeleteFunc(here, func(n string) bool { return !of(n) }), "")
	out = append(out, said{command("the namespaces of the group, the newest first"), here})
	for _, net := range here {
		if !of(net) {
			continue
		}
		rs, err := s.runAll(stateOfNet(net))
		if err != nil {
			return nil, err
		}
		out = append(out, raw(rs)...)
	}
	rest, err := s.inner(of)
	return append(out, rest...), err
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

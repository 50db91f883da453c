package conformance

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"nsmodel"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/netns"
)

// A Variant is one way to build and drive a machine. None may be told from
// another by what a lab prints.
type Variant struct {
	Name   string
	Config nsmodel.Config
	// Schedule, if not 0, is the seed of a scheduler that draws which worker
	// moves the next packet.
	Schedule uint64
}

// Variants are those that the matrix judge compares; the first is the default.
func Variants() []Variant {
	vs := []Variant{
		{Name: "default"},
		{Name: "all=tagged", Config: nsmodel.Config{Place: nsmodel.AllPlaces(netns.Tagged)}},
		{Name: "all=replicated", Config: nsmodel.Config{Place: nsmodel.AllPlaces(netns.Replicated)}},
	}
	for _, row := range (nsmodel.Places{}).Rows() {
		other := netns.Tagged
		if row.Usual == netns.Tagged {
			other = netns.Replicated
		}
		text := row.Word + "=" + other.String()
		var p nsmodel.Places
		if p.Set(text) == nil {
			vs = append(vs, Variant{Name: text, Config: nsmodel.Config{Place: p}})
		}
	}
	tagged := nsmodel.AllPlaces(netns.Tagged)
	vs = append(vs,
		Variant{Name: "collide", Config: nsmodel.Config{Collide: true}},
		Variant{Name: "collide all=tagged", Config: nsmodel.Config{Collide: true, Place: tagged}},
		Variant{Name: "buckets=1", Config: nsmodel.Config{Buckets: 1}},
		Variant{Name: "buckets=2 all=tagged", Config: nsmodel.Config{Buckets: 2, Place: tagged}},
		Variant{Name: "walk", Config: nsmodel.Config{Walk: true}},
		Variant{Name: "walk all=tagged", Config: nsmodel.Config{Walk: true, Place: tagged}},
		Variant{Name: "workers=3", Config: nsmodel.Config{Workers: 3}},
	)
	for seed := uint64(1); seed <= 3; seed++ {
		vs = append(vs, Variant{fmt.Sprintf("workers=3 schedule=%d", seed), nsmodel.Config{Workers: 3}, seed})
	}
	return append(vs, Variant{"workers=3 schedule=4 all=tagged", nsmodel.Config{Workers: 3, Place: tagged}, 4})
}

// A run is a lab's results on one machine, and the judge's own after them.
type run struct {
	lab, tail []lab.Result
	nets      []string // the names of the Nets that were there in the end
}

// RunModel runs a lab on a new machine.
func RunModel(l *Lab, v Variant) (r run, err error) {
	s, err := openSession(v)
	if err != nil {
		return r, err
	}
	defer s.close()
	if r.lab, err = s.runAll(l.Lines); err != nil {
		return r, err
	}
	if r.nets, err = s.h.Netns(lab.NetnsList, ""); err != nil {
		return r, err
	}
	r.tail, err = s.runAll(stateOf(r.nets))
	return r, err
}

// A session is a machine of its own, and what carries out commands on it.
type session struct {
	h  *host.Host
	in *lab.Interp
}

func openSession(v Variant) (*session, error) {
	m, err := nsmodel.New(v.Config)
	if err != nil {
		return nil, err
	}
	s := &session{h: host.New(m)}
	// A capture's file is no part of what is judged.
	s.h.Create = func(string) (io.WriteCloser, error) { return nowhere{io.Discard}, nil }
	if v.Schedule != 0 {
		s.h.Pick = rand.New(rand.NewPCG(v.Schedule, 0)).IntN
	}
	s.in = lab.New(s.h)
	return s, nil
}

func (s *session) close() { _ = s.h.Close() }

// runAll runs commands one after the other.
func (s *session) runAll(lines []lab.Line) (rs []lab.Result, err error) {
	for _, line := range lines {
		r, err := s.in.Run(line)
		if err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// nowhere is a file that keeps nothing.
type nowhere struct{ io.Writer }

// Close does nothing.
func (nowhere) Close() error { return nil }

// transcript returns what the lab said, as the golden file has it.
func (r run) transcript() string {
	var b strings.Builder
	for _, res := range r.lab {
		b.WriteString(res.String())
	}
	return b.String()
}

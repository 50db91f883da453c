package soak

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
	"weak"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/host"
	"nsmodel/lab"
)

// A Siege is a machine in virtual time: a town at whose devices frames are
// thrown, and two Nets, east and west, that are not concerned. It is used by one
// goroutine.
type Siege struct {
	M *nsmodel.Machine

	host  *host.Host
	in    *lab.Interp
	devs  []*core.Device // that frames are thrown at
	empty string         // what the tables held before
}

// NewSiege builds one.
func NewSiege(v conformance.Variant) (*Siege, error) {
	m, err := nsmodel.New(v.Config)
	if err != nil {
		return nil, err
	}
	s := &Siege{M: m, host: host.New(m), empty: Entries(m)}
	s.host.Create = func(string) (io.WriteCloser, error) { return nowhere{io.Discard}, nil }
	if v.Schedule != 0 {
		s.host.Pick = rand.New(rand.NewPCG(v.Schedule, 0)).IntN
	}
	s.in = lab.New(s.host)
	if _, err := run(s.in, town+innocents); err != nil {
		return nil, err
	}
	for _, name := range towns {
		n, err := m.Net(name)
		if err != nil {
			return nil, err
		}
		s.devs = append(s.devs, m.Core.Devices(n)...)
		n.Put()
	}
	return s, nil
}

// nowhere is a file that keeps nothing.
type nowhere struct{ io.Writer }

// Close does nothing.
func (nowhere) Close() error { return nil }

// Do carries out commands that must not fail, and returns what they say.
func (s *Siege) Do(text string) (string, error) { return run(s.in, text) }

// Devices are those that frames are thrown at, in one order for all Sieges.
func (s *Siege) Devices() []*core.Device { return s.devs }

// Record appends to data a frame in the form in which [Siege.Play] reads it: for
// the device of that number, offloaded as how says, aimed as aim says.
func Record(data []byte, at, how, aim byte, frame []byte) []byte {
	frame = frame[:min(len(frame), 0xffff)]
	return append(append(data, at, how, aim, byte(len(frame)>>8), byte(len(frame))), frame...)
}

// head is the length of what a record has before its frame, in bytes.
const head = 5

// rounds is how many frames Play throws at most.
const rounds = 24

// Play throws the frames that data holds, and lets time pass in between and at
// the end, when fragments and neighbours give up. It returns how many there were;
// machines at which as many were thrown have had the same time.
func (s *Siege) Play(data []byte) (frames int) {
	for ; len(data) >= head && frames < rounds; frames++ {
		size := min(int(data[3])<<8|int(data[4]), len(data)-head)
		s.throw(data[0], data[1], data[2], data[head:head+size])
		data = data[head+size:]
		s.pass(frames)
	}
	s.end()
	return frames
}

// Wait lets the time pass that frames take, without any.
func (s *Siege) Wait(frames int) {
	for k := range frames {
		s.pass(k)
	}
	s.end()
}

func (s *Siege) pass(k int) {
	s.M.AdvanceTo(s.M.Sys.Now()+time.Duration(k)*40*time.Millisecond, s.host.Pick)
}

func (s *Siege) end() {
	s.M.AdvanceTo(s.M.Sys.Now()+40*time.Second, s.host.Pick)
	_, _ = run(s.in, "probe sleep 1s") // lets services answer; a sleep does not fail
}

// throw lets a frame arrive at a device.
func (s *Siege) throw(at, how, aim byte, frame []byte) {
	d := s.devs[int(at)%len(s.devs)]
	w := s.M.Core.Enter()
	p := w.NewFrame(len(frame))
	copy(p.Bytes(), frame)
	if k := int(aim); k > 0 {
		Aim(p.Bytes(), d.Addr(), addresses[k/len(addresses)%len(addresses)], addresses[k%len(addresses)])
	}
	Offload(p, how)
	d.Queue(w, p)
	w.Leave()
	s.M.SettleOrder(s.host.Pick)
}

// View returns all that can be seen in these Nets, and the number that the
// random stream of each gives next.
func (s *Siege) View(nets ...string) (string, error) {
	var b strings.Builder
	for _, name := range nets {
		text, err := run(s.in, strings.ReplaceAll(view, "$N", name))
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		n, err := s.M.Net(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%v\nsockets %d\nnext number %#x\n", s.M.Core.Ledger(n), len(s.M.UDP.Sockets(n)), n.Uint64())
		n.Put()
	}
	return b.String(), nil
}

// Innocents is View of those who are not concerned.
func (s *Siege) Innocents() (string, error) {
	text, err := s.Do("ip netns exec east probe udp show 7\n")
	if err != nil {
		return "", err
	}
	seen, err := s.View("east", "west")
	return text + seen, err
}

// Town is View of the others.
func (s *Siege) Town() (string, error) {
	text, err := s.Do("ip netns exec r probe udp show 67\nbridge -n s fdb show\n")
	if err != nil {
		return "", err
	}
	seen, err := s.View(towns...)
	return text + seen, err
}

// Raze ends the town and returns when the first timer of who remains is due, as
// far as there is one.
func (s *Siege) Raze() (timer string, err error) {
	var b strings.Builder
	for _, name := range towns {
		fmt.Fprintf(&b, "ip netns del %s\n", name)
	}
	if _, err := s.Do(b.String()); err != nil {
		return "", err
	}
	at, ok := s.M.Sys.NextTimer()
	return fmt.Sprint(at, ok), nil
}

// End ends every Net and the machine; the error is what is left over. With
// graves it has the collector look for the dead as well, which takes a
// millisecond.
func (s *Siege) End(graves bool) error {
	var dead Graves
	var b strings.Builder
	for n := range s.M.Sys.Nets() {
		if !n.IsInit() {
			dead = append(dead, weak.Make(n))
			fmt.Fprintf(&b, "ip netns del %s\n", n.Name())
		}
	}
	if _, err := s.Do(b.String()); err != nil {
		return err
	}
	s.M.SettleOrder(s.host.Pick)
	var errs []error
	if bad := Leftovers(s.M, s.empty); bad != "" {
		errs = append(errs, errors.New(bad))
	}
	errs = append(errs, s.host.Close())
	s.devs = nil
	if graves {
		if kept := dead.Kept(); kept != "" {
			errs = append(errs, errors.New(kept))
		}
	}
	return errors.Join(append(errs, s.M.Close())...)
}

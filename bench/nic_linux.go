package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"nsmodel/bench/stage"
	"nsmodel/core/link/afpacket"
	"nsmodel/internal/linux"
	"nsmodel/netns"
)

const nicWhat = "frames of 60 bytes a second, counted by the kernel behind the second NIC, while a sender (sendmmsg on an AF_PACKET socket, its cost in extra) floods the first; " +
	"NICs are veth ends of the kernel, their rings TPACKET_V2 with sendmmsg out, on both sides the same; extra also: CPU of a forwarded frame, all threads but the sender's; "

// nicCases measure forwarding between two real NICs, against the leanest loop
// over the same sockets.
func nicCases(s Sizes, where netns.Placement) []Case {
	forward := func(nets int) func(*Rig) (*stand, error) {
		return func(r *Rig) (*stand, error) {
			return r.nicStand(func(nr *nicRig) (func() error, error) { return nr.model(where, nets) })
		}
	}
	c := Case{Place: where.String(), Unit: "pps", Better: Higher, group: "nic"}
	bare, one, two := c, c, c
	bare.Name, bare.What = "nic_bare_loop_pps", nicWhat+"swaps the two interfaces without looking at a frame: afpacket.SwapLoop"
	bare.open = func(r *Rig) (*stand, error) { return r.nicStand((*nicRig).bare) }
	one.Name, one.Nets, one.What = "nic_forward_pps", 1, nicWhat+"both NICs in one Net that routes: the whole path with neighbours, run live by one worker"
	one.open = forward(1)
	two.Name, two.Nets, two.What = "nic_forward_pps", 2, nicWhat+"each NIC in a Net of its own, which route to each other by veth"
	two.open = forward(2)
	return []Case{bare, one, two}
}

// A nicRig is two cables with a sender at the far end of the first.
type nicRig struct {
	*stage.Cables
	sender *afpacket.Socket
	slice  time.Duration
}

// nicStand opens a stand that forwards by what start starts; the function that
// start returns ends it.
func (r *Rig) nicStand(start func(*nicRig) (stop func() error, err error)) (*stand, error) {
	if !linux.Inside() {
		err := linux.Why()
		if err == nil {
			err = errors.New("not in a sandbox of its own")
		}
		return nil, fmt.Errorf("%w: %w", errNotHere, err)
	}
	if r.nics == nil {
		nr := &nicRig{slice: r.NICSlice}
		if err := nr.lay(); err != nil {
			nr.close()
			return nil, fmt.Errorf("%w: %w", errNotHere, err)
		}
		r.nics = nr
	}
	var sum flow
	return &stand{
		rounds: r.NICRounds,
		sample: func() (float64, error) {
			f, err := r.nics.measure(start)
			for try := 0; try < 10 && f.got == 0 && err == nil; try++ {
				f, err = r.nics.measure(start) // a slice in which nobody got a CPU says nothing
			}
			sum.add(f)
			return float64(f.got) / f.wall.Seconds(), err
		},
		extra: sum.extra,
	}, nil
}

// lay makes the cables.
func (nr *nicRig) lay() (err error) {
	if nr.Cables, err = stage.LayCables(nil); err != nil {
		return err
	}
	return nr.Far.Do(func() (err error) {
		nr.sender, err = afpacket.Open(afpacket.Config{Interface: stage.FarIn, Blocks: 1})
		return err
	})
}

func (nr *nicRig) close() {
	if nr.sender != nil {
		nr.sender.Close()
	}
	if nr.Cables != nil {
		nr.Cables.Close()
	}
}

// A flow is what was seen of frames on their way.
type flow struct {
	wall         time.Duration
	sent, got    uint64
	sender, rest time.Duration // CPU time
}

func (f *flow) add(o flow) {
	f.wall += o.wall
	f.sent, f.got = f.sent+o.sent, f.got+o.got
	f.sender, f.rest = f.sender+o.sender, f.rest+o.rest
}

func (f *flow) extra() map[string]float64 {
	return map[string]float64{
		"sender_cpu_ns": float64(f.sender) / float64(max(1, f.sent)),
		"offered_pps":   float64(f.sent) / max(1e-9, f.wall.Seconds()),
		"cpu_ns":        float64(f.rest) / float64(max(1, f.got)),
	}
}

// measure floods one cable for a slice while start's doing forwards.
func (nr *nicRig) measure(start func(*nicRig) (func() error, error)) (f flow, err error) {
	stop, err := start(nr)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	s := nr.flood()
	defer s.end()
	time.Sleep(nr.slice / 5)
	before, err := nr.look(s)
	if err != nil {
		return f, err
	}
	time.Sleep(nr.slice)
	after, err := nr.look(s)
	if err != nil {
		return f, err
	}
	return flow{wall: after.wall - before.wall, sent: after.sent - before.sent, got: after.got - before.got,
		sender: after.sender - before.sender, rest: after.rest - before.rest}, nil
}

// look reads all the counters.
func (nr *nicRig) look(s *sender) (f flow, err error) {
	f.got, err = nr.received(stage.FarOut)
	f.wall = time.Duration(time.Now().UnixNano())
	f.sent, f.sender = s.sent.Load(), time.Duration(s.cpu.Load())
	f.rest = ProcessTime() - f.sender
	return f, err
}

// received returns how many frames an interface of the far namespace has received.
func (nr *nicRig) received(name string) (frames uint64, err error) {
	err = nr.Far.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/dev")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			if at, counters, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(at) == name {
				var bytes uint64
				_, err := fmt.Sscan(counters, &bytes, &frames)
				return err
			}
		}
		return fmt.Errorf("bench: no counters of %s", name)
	})
	return frames, err
}

// A sender floods the first cable until it is ended.
type sender struct {
	stop atomic.Bool
	done chan struct{}
	sent atomic.Uint64
	cpu  atomic.Int64 // of its thread, since it began
}

func (nr *nicRig) flood() *sender {
	s := &sender{done: make(chan struct{})}
	out := make([]afpacket.Out, afpacket.Batch)
	for i := range out {
		out[i].Data = stage.UDPFrame(stage.Far(), "10.1.0.2", "10.9.3.4", stage.Port)
	}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.done)
		start := ThreadTime()
		for i := 0; !s.stop.Load(); i++ {
			k, _ := nr.sender.Write(out) // what a full queue refuses was not sent
			s.sent.Add(uint64(k))
			if i%16 == 0 {
				s.cpu.Store(int64(ThreadTime() - start))
			}
		}
	}()
	return s
}

func (s *sender) end() {
	s.stop.Store(true)
	<-s.done
}

package netlink_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nsmodel/core/netlink"
	"nsmodel/netns"
)

var placements = map[string]netns.Placement{"tagged": netns.Tagged, "replicated": netns.Replicated}

// machine wires a Rtnetlink, boots it and adds a Net named red.
func machine(t testing.TB, place netns.Placement, wire func(*netlink.Rtnetlink)) (*netns.System, *netlink.Rtnetlink, *netns.Net) {
	t.Helper()
	s := netns.New(netns.Config{Seed: 1})
	r := netlink.NewRtnetlink(s, place)
	if wire != nil {
		wire(r)
	}
	if err := s.Boot(); err != nil {
		t.Fatal(err)
	}
	s.Lock()
	defer s.Unlock()
	red, err := s.NewNet("red")
	if err != nil {
		t.Fatal(err)
	}
	return s, r, red
}

// dumper answers with one message that tells which handler it came from.
func dumper(op netlink.Op, kind netlink.Kind, family uint8, gate *netns.Gate) netlink.Handler {
	return netlink.Handler{Op: op, Kind: kind, Family: family, Row: "test", Gate: gate,
		Do: func(*netns.Net, *netlink.Request) ([]netlink.Message, error) {
			return []netlink.Message{&netlink.Route{Family: family}}, nil
		}}
}

func TestDoFindsHandler(t *testing.T) {
	open, shut := new(netns.Gate), new(netns.Gate)
	shut.Close()
	s, r, red := machine(t, netns.Default, func(r *netlink.Rtnetlink) {
		r.Handle(dumper(netlink.Get, netlink.KindRoute, unix.AF_INET6, shut))
		r.Handle(dumper(netlink.Get, netlink.KindRoute, unix.AF_INET, open))
		r.Handle(dumper(netlink.New, netlink.KindNeigh, unix.AF_UNSPEC, open))
		r.Handle(dumper(netlink.New, netlink.KindRule, unix.AF_INET6, shut))
		r.Handle(dumper(netlink.Get, netlink.KindRule, unix.AF_INET6, shut))
	})
	route := func(f uint8) netlink.Message { return &netlink.Route{Family: f} }
	rule := func(f uint8) netlink.Message { return &netlink.Rule{Family: f} }
	for _, tc := range []struct {
		name      string
		req       netlink.Request
		init, red []uint8 // families that answer; nil: EOPNOTSUPP
	}{
		{"family", netlink.Request{Op: netlink.Get, Msg: route(unix.AF_INET)}, []uint8{unix.AF_INET}, []uint8{unix.AF_INET}},
		{"gated family", netlink.Request{Op: netlink.Get, Msg: route(unix.AF_INET6)}, []uint8{unix.AF_INET6}, nil},
		{"dump of all", netlink.Request{Op: netlink.Get, Flags: netlink.Dump, Msg: route(0)}, []uint8{unix.AF_INET, unix.AF_INET6}, []uint8{unix.AF_INET}},
		{"get needs a family", netlink.Request{Op: netlink.Get, Msg: route(0)}, nil, nil},
		{"dump all gated", netlink.Request{Op: netlink.Get, Flags: netlink.Dump, Msg: rule(0)}, []uint8{unix.AF_INET6}, nil},
		{"unspec handler", netlink.Request{Op: netlink.New, Msg: &netlink.Neigh{Family: unix.AF_INET}}, []uint8{0}, []uint8{0}},
		{"gated new", netlink.Request{Op: netlink.New, Msg: rule(unix.AF_INET6)}, []uint8{unix.AF_INET6}, nil},
		{"no such op", netlink.Request{Op: netlink.Del, Msg: route(unix.AF_INET)}, nil, nil},
		{"no such kind", netlink.Request{Op: netlink.New, Msg: &netlink.Link{}}, nil, nil},
		{"no message", netlink.Request{Op: netlink.New}, nil, nil},
		{"wild op", netlink.Request{Op: 99, Msg: route(unix.AF_INET)}, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, who := range []struct {
				n    *netns.Net
				want []uint8
			}{{s.Init(), tc.init}, {red, tc.red}} {
				msgs, err := r.Do(who.n, &tc.req)
				var got []uint8
				for _, m := range msgs {
					got = append(got, m.AF())
				}
				if !slices.Equal(got, who.want) {
					t.Errorf("init=%v: families %v, want %v", who.n.IsInit(), got, who.want)
				}
				if who.want == nil != errors.Is(err, syscall.EOPNOTSUPP) {
					t.Errorf("init=%v: error %v", who.n.IsInit(), err)
				}
			}
		})
	}
	if got := len(r.Handlers()); got != 5 {
		t.Errorf("Handlers: %d, want 5", got)
	}
}

func TestDoPassesErrors(t *testing.T) {
	gate := new(netns.Gate)
	boom := netlink.Extack(syscall.EINVAL, "Nexthop has invalid gateway")
	s, r, _ := machine(t, netns.Default, func(r *netlink.Rtnetlink) {
		r.Handle(netlink.Handler{Op: netlink.Get, Kind: netlink.KindAddr, Family: unix.AF_INET, Row: "t", Gate: gate,
			Do: func(*netns.Net, *netlink.Request) ([]netlink.Message, error) { return nil, boom }})
	})
	for _, family := range []uint8{unix.AF_INET, unix.AF_UNSPEC} {
		_, err := r.Do(s.Init(), &netlink.Request{Op: netlink.Get, Flags: netlink.Dump, Msg: &netlink.Addr{Family: family}})
		if errno, text := netlink.Split(err); errno != syscall.EINVAL || text != boom.Msg {
			t.Errorf("family %d: %v", family, err)
		}
	}
}

func TestHandlePanics(t *testing.T) {
	gate := new(netns.Gate)
	good := dumper(netlink.Get, netlink.KindRoute, unix.AF_INET, gate)
	for name, spoil := range map[string]func(*netlink.Handler){
		"no row":  func(h *netlink.Handler) { h.Row = "" },
		"no gate": func(h *netlink.Handler) { h.Gate = nil },
		"no kind": func(h *netlink.Handler) { h.Kind = 0 },
		"bad op":  func(h *netlink.Handler) { h.Op = 77 },
		"no func": func(h *netlink.Handler) { h.Do = nil },
		"twice":   func(h *netlink.Handler) {},
	} {
		t.Run(name, func(t *testing.T) {
			machine(t, netns.Default, func(r *netlink.Rtnetlink) {
				r.Handle(good)
				h := good
				spoil(&h)
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				r.Handle(h)
			})
		})
	}
}

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		err   error
		errno syscall.Errno
		text  string
	}{
		{syscall.EEXIST, syscall.EEXIST, ""},
		{fmt.Errorf("ipv4: add: %w", syscall.EEXIST), syscall.EEXIST, ""},
		{fmt.Errorf("ipv4: add: %w", netlink.Extack(syscall.ENOENT, "no %s", "x")), syscall.ENOENT, "no x"},
		{errors.New("odd"), syscall.EINVAL, ""},
	} {
		if errno, text := netlink.Split(tc.err); errno != tc.errno || text != tc.text {
			t.Errorf("%v: %v %q", tc.err, errno, text)
		}
	}
	if err := netlink.Extack(syscall.ENOENT, "gone"); !errors.Is(err, syscall.ENOENT) || err.Error() == "" {
		t.Error(err)
	}
}

func receive(t *testing.T, s *netlink.Subscription) string {
	t.Helper()
	note, err := s.Receive()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(note.Op, " ", note.Msg.(*netlink.Link).Index)
}

func TestPublish(t *testing.T) {
	for name, place := range placements {
		t.Run(name, func(t *testing.T) {
			s, r, red := machine(t, place, nil)
			woken := 0
			a, err := r.Subscribe(red, netlink.GroupLink, 2, func() { woken++ })
			if err != nil {
				t.Fatal(err)
			}
			b, _ := r.Subscribe(red, netlink.GroupNeigh|netlink.GroupNSID, 2, nil)
			c, _ := r.Subscribe(s.Init(), netlink.GroupAll, 2, nil)
			if !r.Listening(red, netlink.GroupLink) || r.Listening(red, netlink.GroupIPv4Route) {
				t.Error("Listening")
			}
			again := syscall.EAGAIN.Error()
			for _, step := range []struct {
				publish int
				op      netlink.Op
				sub     *netlink.Subscription
				want    string
			}{
				{1, netlink.New, a, "NEW 1"},
				{0, 0, a, again},
				{0, 0, b, again},
				{0, 0, c, again}, // another Net hears nothing
				{2, netlink.New, nil, ""},
				{3, netlink.Del, nil, ""},
				{4, netlink.New, a, syscall.ENOBUFS.Error()},
				{5, netlink.New, a, "NEW 2"}, // 5 is lost too: congested until empty
				{6, netlink.New, a, "DEL 3"},
				{0, 0, a, again},
				{7, netlink.New, a, "NEW 7"},
			} {
				if step.publish != 0 {
					r.Publish(red, netlink.GroupLink, step.op, &netlink.Link{Index: step.publish})
				}
				if step.sub != nil {
					if got := receive(t, step.sub); got != step.want {
						t.Fatalf("after %d: %q, want %q", step.publish, got, step.want)
					}
				}
			}
			if woken != 7 {
				t.Errorf("woken %d times, want 7", woken)
			}
		})
	}
}

func TestSubscriptionEnds(t *testing.T) {
	for name, place := range placements {
		t.Run(name, func(t *testing.T) {
			s, r, red := machine(t, place, nil)
			woken := 0
			a, _ := r.Subscribe(red, netlink.GroupLink, 0, func() { woken++ })
			b, _ := r.Subscribe(red, netlink.GroupLink, 1, nil)
			c, _ := r.Subscribe(s.Init(), netlink.GroupLink, 1, nil)
			b.Close()
			b.Close()
			r.Publish(red, netlink.GroupLink, netlink.New, &netlink.Link{Index: 1})
			if got := receive(t, b); got != io.EOF.Error() {
				t.Errorf("closed one got %q", got)
			}
			s.Lock()
			if err := s.Delete("red"); err != nil {
				t.Fatal(err)
			}
			s.Reap()
			s.Unlock()
			if got := receive(t, a); got != "NEW 1" {
				t.Errorf("queued one lost: %q", got)
			}
			if got := receive(t, a); got != io.EOF.Error() || woken != 2 {
				t.Errorf("after death: %q, woken %d times", got, woken)
			}
			if got := receive(t, c); got != syscall.EAGAIN.Error() {
				t.Errorf("init: %q", got)
			}
			if _, err := r.Subscribe(red, netlink.GroupLink, 1, nil); err != syscall.ENXIO {
				t.Errorf("Subscribe in a dead Net: %v", err)
			}
			a.Close()
		})
	}
}

func TestMAC(t *testing.T) {
	for in, want := range map[string]string{
		"02:00:00:00:00:01": "02:00:00:00:00:01",
		"2:0:0:A:b:1":       "02:00:00:0a:0b:01",
		"02:00:00:00:00":    "", "": "", "02:00:00:00:00:g1": "", "002:0:0:0:0:1": "",
		"02::00:00:00:01": "", "02-00-00-00-00-01": "", "02:00:00:00:00:01:02": "", "0\x10:0:0:0:0:1": "",
	} {
		m, err := netlink.ParseMAC(in)
		if got := m.String(); (err == nil) != (want != "") || (err == nil && got != want) {
			t.Errorf("%q: %v, %v", in, m, err)
		}
	}
}

func TestStrings(t *testing.T) {
	for want, v := range map[string]fmt.Stringer{
		"RTM_NEWROUTE CREATE|EXCL": &netlink.Request{Op: netlink.New, Flags: netlink.Create | netlink.Excl, Msg: &netlink.Route{}},
		"RTM_GETNSID DUMP":         &netlink.Request{Op: netlink.Get, Flags: netlink.Dump, Msg: &netlink.NSID{}},
		"RTM_DEL":                  &netlink.Request{Op: netlink.Del},
		"OP9":                      netlink.Op(9),
		"KIND77":                   netlink.Kind(77),
		"LOWERLAYERDOWN":           netlink.OperLowerLayerDown,
		"UNKNOWN":                  netlink.OperState(99),
	} {
		if got := v.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func Example() {
	s := netns.New(netns.Config{})
	r := netlink.NewRtnetlink(s, netns.Default)
	gate := new(netns.Gate) // the gate of the row "rtnetlink: RTM_NEWROUTE IPv4"
	r.Handle(netlink.Handler{Op: netlink.New, Kind: netlink.KindRoute, Family: unix.AF_INET, Row: "RTM_NEWROUTE IPv4", Gate: gate,
		Do: func(n *netns.Net, req *netlink.Request) ([]netlink.Message, error) {
			route := req.Msg.(*netlink.Route)
			r.Publish(n, netlink.GroupIPv4Route, netlink.New, route)
			return nil, nil
		}})
	s.Boot()

	s.Lock()
	defer s.Unlock()
	sub, _ := r.Subscribe(s.Init(), netlink.GroupIPv4Route, 10, nil)
	_, err := r.Do(s.Init(), &netlink.Request{Op: netlink.New, Flags: netlink.Create | netlink.Excl,
		Msg: &netlink.Route{Family: unix.AF_INET, Dst: netip.MustParsePrefix("10.0.0.0/8"), OIF: 1}})
	note, _ := sub.Receive()
	fmt.Println(err, note.Op, note.Msg.(*netlink.Route).Dst)
	_, err = r.Do(s.Init(), &netlink.Request{Op: netlink.New, Msg: &netlink.Route{Family: unix.AF_INET6}})
	fmt.Println(errors.Is(err, syscall.EOPNOTSUPP))
	// Output:
	// <nil> NEW 10.0.0.0/8
	// true
}

package nsmodel_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"nsmodel"
	"nsmodel/host"
	"nsmodel/lab"
	"nsmodel/netns"
)

// Two namespaces with a wire between them, and a datagram from one to the other.
func Example() {
	m, err := nsmodel.New(nsmodel.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	h := host.New(m)
	defer h.Close()
	_ = lab.New(h).RunLab("example", `
ip netns add red
ip netns add blue
ip -n red link add v0 type veth peer name v1 netns blue
ip -n red addr add 10.0.0.1/24 dev v0
ip -n blue addr add 10.0.0.2/24 dev v1
ip -n red link set v0 up
ip -n blue link set v1 up
ip netns exec blue probe udp echo 7
ip netns exec red probe udp send 10.0.0.2:7 hello wait 1s
`, func(r lab.Result) { fmt.Print(r.Stdout, r.Stderr) })
	red, err := m.Net("red")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer red.Put()
	fmt.Println("red:", m.Core.Ledger(red))
	// Output:
	// reply from 10.0.0.2:7 "hello"
	// red: in 2 + made 2 = delivered 2 + sent 2 + dropped 0 + held 0
}

// Every word of --place moves a subsystem, and only its own: the placements of
// all others stay.
func TestEveryPlaceIsOneWord(t *testing.T) {
	list := func(p nsmodel.Places) map[string]netns.Placement {
		m, err := nsmodel.New(nsmodel.Config{Place: p})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		all := map[string]netns.Placement{}
		for _, s := range m.Sys.Subsystems() {
			all[s.Name] = s.Place
		}
		return all
	}
	usual := list(nsmodel.Places{})
	moved := map[string]string{} // subsystem -> the word that moved it
	for _, row := range (nsmodel.Places{}).Rows() {
		other := netns.Tagged
		if row.Usual == netns.Tagged {
			other = netns.Replicated
		}
		var p nsmodel.Places
		if err := p.Set(row.Word + "=" + other.String()); err != nil {
			t.Fatal(err)
		}
		n := 0
		for name, place := range list(p) {
			if place == usual[name] {
				continue
			}
			n++
			if by, taken := moved[name]; taken {
				t.Errorf("%s is moved by %s and by %s", name, by, row.Word)
			}
			moved[name] = row.Word
		}
		if n == 0 {
			t.Errorf("--place %s=%s moves nothing", row.Word, other)
		}
	}
	if a, b := list(nsmodel.AllPlaces(netns.Tagged)), list(nsmodel.AllPlaces(netns.Replicated)); fmt.Sprint(a) == fmt.Sprint(b) {
		t.Error("all=tagged and all=replicated are the same machine")
	}
}

func TestPlacesSet(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"neigh=tagged", true}, {"udp=replicated", true}, {"all=tagged", true}, {"fib=default", true},
		{"neigh", false}, {"neigh=", false}, {"neigh=shared", false}, {"nobody=tagged", false}, {"", false},
	} {
		var p nsmodel.Places
		err := p.Set(c.text)
		if (err == nil) != c.ok {
			t.Errorf("%q: %v", c.text, err)
		}
		if err != nil && (!errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "neigh, ")) {
			t.Errorf("%q: %v does not say what there is", c.text, err)
		}
		if err != nil && p != (nsmodel.Places{}) {
			t.Errorf("%q: refused, but something changed: %v", c.text, p)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := nsmodel.New(nsmodel.Config{DevconfInheritInitNet: 3}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("devconf_inherit_init_net 3: %v", err)
	}
	want := errors.New("no")
	if _, err := nsmodel.New(nsmodel.Config{Extend: func(*nsmodel.Machine) error { return want }}); !errors.Is(err, want) {
		t.Errorf("an Extend that fails: %v", err)
	}
}

func TestAddressesOfSockets(t *testing.T) {
	m, err := nsmodel.New(nsmodel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	n, err := m.AddNet("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address string
		want    error
	}{
		{":0", nil}, {"0.0.0.0:53", nil}, {"0.0.0.0:53", syscall.EADDRINUSE}, // Linux takes any address while the table local is not there yet.
		{"192.0.2.1:1", nil},
		{"[::1]:1", syscall.EADDRNOTAVAIL}, {"localhost:1", syscall.EINVAL},
	} {
		if _, err := m.ListenPacket(n, c.address); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.address, err, c.want)
		}
	}
	if _, err := m.ListenPacket(n, "nothing"); err == nil {
		t.Error("an address without a port was taken")
	}
	if err := m.DeleteNet("b"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("delete what is not there: %v", err)
	}
	if _, err := m.AddNet("a"); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("add twice: %v", err)
	}
}

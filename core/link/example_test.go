package link_test

import (
	"fmt"

	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/netns"
)

// A veth pair is a cable between two namespaces.
func Example() {
	sys := netns.New(netns.Config{})
	stack := core.New(sys, core.Config{})
	if err := link.Register(stack, link.Config{}); err != nil {
		panic(err)
	}
	sys.Boot()
	sys.Lock()
	defer sys.Unlock()
	red, _ := sys.NewNet("red")
	blue, _ := sys.NewNet("blue")

	a, _ := stack.Kind("veth").New(red, core.LinkSpec{
		Name: "eth0", PeerNet: blue, Peer: &core.LinkSpec{Name: "eth0"},
	})
	b := a.LowerDevice()
	stack.SetUp(a)
	fmt.Println(a.Name(), "in", a.Net().Name(), "carrier", a.Carrier())
	stack.SetUp(b)
	fmt.Println(b.Name(), "in", b.Net().Name(), "carrier", a.Carrier())
	// Output:
	// eth0 in red carrier false
	// eth0 in blue carrier true
}

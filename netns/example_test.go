package netns_test

import (
	"errors"
	"fmt"
	"syscall"

	"nsmodel/netns"
)

// A subsystem says once where its state lives; the rest of it cannot tell.
func Example() {
	for _, place := range []netns.Placement{netns.Tagged, netns.Replicated} {
		s := netns.New(netns.Config{})
		ports := netns.NewTable[uint16, string](s, "ports", place, func(p uint16) uint64 { return uint64(p) })
		if err := s.Boot(); err != nil {
			fmt.Println(err)
		}

		s.Lock()
		blue, _ := s.NewNet("blue")
		red, _ := s.NewNet("red")
		ports.Add(blue, 53, "blue's resolver")
		ports.Add(red, 53, "red's resolver")
		err := ports.Add(red, 53, "another")
		fmt.Println(place, "EEXIST:", errors.Is(err, syscall.EEXIST))

		s.Delete("red")
		s.Reap()
		s.Unlock()

		who, ok := ports.Get(blue, 53)
		fmt.Println(place, who, ok)
	}
	// Output:
	// tagged EEXIST: true
	// tagged blue's resolver true
	// replicated EEXIST: true
	// replicated blue's resolver true
}

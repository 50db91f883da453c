package soak

import (
	"strings"
	"testing"

	"nsmodel/core/wire"
)

// The labs show the shapes that a siege begins with: what is in them is named
// here, so that a corpus that has lost its labs is noticed.
func TestCorpus(t *testing.T) {
	c, err := Corpus()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0x806 op 1", "0x806 bad", "icmp 8/0", "icmp 3/4", "icmp 11/0", "mf true", "offset true", "option 7", "tagged",
		"broadcast 0x800 proto 17", "udp sum true", "proto 200", "sum false", "0x800 bad"} {
		found := false
		for _, f := range c {
			found = found || strings.Contains(f.Shape, want)
			if Shape(f.Bytes) != f.Shape {
				t.Fatalf("%s: a frame's shape is %q and %q", f.Lab, f.Shape, Shape(f.Bytes))
			}
		}
		if !found {
			t.Errorf("no frame of %d is %q", len(c), want)
		}
	}
	t.Logf("%d shapes", len(c))
}

// What is aimed comes from and goes to whom it is aimed at, with the checksums
// that it had: right ones right, wrong ones wrong.
func TestAim(t *testing.T) {
	c, err := Corpus()
	if err != nil {
		t.Fatal(err)
	}
	mac, src, dst := wire.MAC{2, 0, 0, 0, 0, 7}, [4]byte{10, 1, 0, 1}, [4]byte{10, 1, 0, 2}
	aimed := 0
	for _, f := range c {
		b := append([]byte(nil), f.Bytes...)
		Aim(b, mac, src, dst)
		e, ok := wire.ParseEthernet(b)
		if !ok || e.Type() != wire.EtherTypeIPv4 {
			continue
		}
		ip, ok := wire.ParseIPv4(e.Payload())
		if !ok {
			continue
		}
		aimed++
		if !e.Dst().IsMulticast() && e.Dst() != mac || ip.Src4() != src || ip.Dst4() != dst {
			t.Errorf("%s: %v %v>%v", f.Shape, e.Dst(), ip.Src(), ip.Dst())
		}
		for _, word := range []string{"sum true", "sum false"} {
			if strings.Count(Shape(b), word) != strings.Count(f.Shape, word) {
				t.Errorf("%q became %q", f.Shape, Shape(b))
			}
		}
	}
	if aimed < 20 {
		t.Errorf("%d of %d frames could be aimed", aimed, len(c))
	}
}

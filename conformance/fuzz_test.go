package conformance_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/conformance/soak"
	"nsmodel/netns"
)

// besieged are the machines at which the same frames are thrown. None may be
// told from another.
func besieged() []conformance.Variant {
	tagged, replicated := nsmodel.AllPlaces(netns.Tagged), nsmodel.AllPlaces(netns.Replicated)
	return []conformance.Variant{
		{Name: "all=tagged", Config: nsmodel.Config{Seed: 7, Place: tagged}},
		{Name: "all=replicated", Config: nsmodel.Config{Seed: 7, Place: replicated}},
		{Name: "collide all=tagged", Config: nsmodel.Config{Seed: 7, Place: tagged, Collide: true}},
		{Name: "workers=3", Config: nsmodel.Config{Seed: 7, Workers: 3}},
	}
}

// undisturbed is what east and west see where nobody throws anything, and when
// their first timer is due, by how many frames the others had.
var undisturbed struct {
	sync.Mutex
	seen [32]string
}

func calm(frames int) (seen string, err error) {
	u := &undisturbed
	u.Lock()
	defer u.Unlock()
	if u.seen[frames] == "" {
		s, err := soak.NewSiege(besieged()[0])
		if err != nil {
			return "", err
		}
		s.Wait(frames)
		if u.seen[frames], err = innocents(s); err != nil {
			return "", err
		}
		if err := s.End(false); err != nil {
			return "", err
		}
	}
	return u.seen[frames], nil
}

// innocents returns all that is to be seen of who is not concerned. The town
// ends by it, so that no timer is left but theirs.
func innocents(s *soak.Siege) (string, error) {
	seen, err := s.Innocents()
	if err != nil {
		return "", err
	}
	timer, err := s.Raze()
	return seen + "next timer " + timer + "\n", err
}

// besiege throws what data holds at a new machine and holds it against what
// must not be seen. It returns the end of the town.
func besiege(v conformance.Variant, data []byte, graves bool) (town string, err error) {
	s, err := soak.NewSiege(v)
	if err != nil {
		return "", err
	}
	frames := s.Play(data)
	if bad := soak.Imbalance(s.M); bad != "" {
		return "", fmt.Errorf("%s", bad)
	}
	if town, err = s.Town(); err != nil {
		return "", err
	}
	seen, err := innocents(s)
	if err != nil {
		return "", err
	}
	want, err := calm(frames)
	if err != nil {
		return "", err
	}
	if seen != want {
		return "", fmt.Errorf("who is not concerned noticed:\n%s", differ(want, seen))
	}
	return town, s.End(graves)
}

// differ returns the lines in which two texts differ.
func differ(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var s strings.Builder
	for i := range max(len(a), len(b)) {
		x, y := "", ""
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			fmt.Fprintf(&s, "- %s\n+ %s\n", x, y)
		}
	}
	return s.String()
}

// FuzzFrames throws any bytes at every device of machines that differ in what
// nobody may see. On each: nothing panics; no packet is lost; Nets without a link
// to it see, draw and wait for the same as where nothing was thrown; nothing is
// left when the Nets have ended. And in the end the machines look the same.
func FuzzFrames(f *testing.F) {
	corpus, err := soak.Corpus()
	if err != nil {
		f.Fatal(err)
	}
	if len(corpus) < 60 {
		f.Fatalf("the labs showed %d shapes of frames only", len(corpus))
	}
	f.Logf("%d shapes of frames from the labs", len(corpus))
	var several []byte
	for i, frame := range corpus {
		// As it was, and aimed at a device and an address of the town.
		f.Add(soak.Record(nil, byte(i), 0, 0, frame.Bytes))
		several = soak.Record(several, byte(i), 0, byte(1+i*7%255), frame.Bytes)
		if i%8 == 7 || i == len(corpus)-1 {
			f.Add(several)
			several = nil
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first string
		for i, v := range besieged() {
			town, err := besiege(v, data, i == len(data)%16)
			if err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
			if i == 0 {
				first = town
			} else if town != first {
				t.Fatalf("%s is not as %s:\n%s", v.Name, besieged()[0].Name, differ(first, town))
			}
		}
	})
}

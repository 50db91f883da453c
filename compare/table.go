package compare

import (
	"fmt"

	"nsmodel/netns"
)

// A bed is a machine with nothing but one table, to measure tables on.
type bed struct {
	sys  *netns.System
	t    *netns.Table[key16, *int]
	nets []*netns.Net
	v    *int
}

// newBed makes one with so many Nets.
func newBed(series string, c netns.Config, nets int) (*bed, error) {
	return newBedWith(series, c, nets, key16.sum)
}

func newBedWith(series string, c netns.Config, nets int, sum func(key16) uint64) (*bed, error) {
	b := &bed{sys: netns.New(c), v: new(int)}
	b.t = netns.NewTable[key16, *int](b.sys, "compare", place(series), sum)
	if err := b.sys.Boot(); err != nil {
		return nil, err
	}
	b.sys.Lock()
	defer b.sys.Unlock()
	for range nets {
		if _, err := b.net(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// net makes one more Net; under rtnl.
func (b *bed) net() (*netns.Net, error) {
	n, err := b.sys.NewNet("")
	if err == nil {
		b.nets = append(b.nets, n)
	}
	return n, err
}

// keyOf is a Net's i-th key: all Nets have the same.
func keyOf(i int) key16 { return key16{uint64(i), uint64(i) << 20} }

// entryBytes is what an entry of a bed takes: itself, and one or two buckets.
const entryBytes = 80

// add files n's keys [from, to), of which n has none: nobody looks, which in a table
// of fixed size would take minutes for ten million.
func (b *bed) add(n *netns.Net, from, to int) error {
	for i := from; i < to; i++ {
		if err := b.t.AddNew(n, keyOf(i), b.v); err != nil {
			return err
		}
	}
	return nil
}

// get looks up n's i-th key, which must be there.
func (b *bed) get(n *netns.Net, i int) error {
	if _, ok := b.t.Get(n, keyOf(i)); !ok {
		return fmt.Errorf("key %d not found", i)
	}
	return nil
}

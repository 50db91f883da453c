package link

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// fdbKey says where a station is looked up: in which bridge of the Net, and by
// which address.
// Linux: struct net_bridge_fdb_key; the bridge is where the table hangs.
type fdbKey struct {
	bridge uint32
	mac    wire.MAC
}

// fdbEntry says behind which port a station is. What changes under readers is
// atomic: a station that moved costs a store, not a new entry.
// Linux: struct net_bridge_fdb_entry.
type fdbEntry struct {
	mac     wire.MAC             // fixed
	port    atomic.Pointer[port] // nil: the bridge itself
	state   atomic.Uint32        // an FDBState
	updated atomic.Int64         // when it was last seen, since boot
}

// An FDBState says how an entry came to be. Linux: NUD_* in the ndm_state of a
// bridge's entry.
type FDBState uint8

// The states of a forwarding entry.
const (
	FDBLearned   FDBState = iota // from a frame, or added as dynamic; it ages
	FDBStatic                    // added by hand; it stays
	FDBPermanent                 // an address of the bridge or of a port: frames to it are delivered here
)

// String returns the state as `bridge fdb` prints it, "" for a learned one.
func (s FDBState) String() string { return [...]string{"", "static", "permanent"}[s] }

// An FDBEntry is a forwarding entry as `bridge fdb` shows it.
type FDBEntry struct {
	Addr  wire.MAC
	Dev   *core.Device // the port, or the bridge
	State FDBState
	Age   time.Duration // since it was last seen
}

func (e *fdbEntry) local() bool { return e.state.Load() == uint32(FDBPermanent) }

// expired reports whether the entry is too old to be used.
func (e *fdbEntry) expired(now time.Duration, ageing int64) bool {
	return e.state.Load() == uint32(FDBLearned) && e.updated.Load()+ageing <= int64(now)
}

func (b *bridge) key(a wire.MAC) fdbKey { return fdbKey{bridge: b.id, mac: a} }

// find returns the entry by which a frame to a is forwarded, or nil; it takes no
// lock. Linux: br_fdb_find_rcu.
func (b *bridge) find(now time.Duration, a wire.MAC) *fdbEntry {
	e, ok := b.l.fdb.Get(b.net, b.key(a))
	if !ok || e.expired(now, b.ageing.Load()) {
		return nil
	}
	return e
}

// learn notes that a is behind pt. An address of the bridge's own as a source is
// a loop or a lie, and teaches nothing. Linux: br_fdb_update.
func (b *bridge) learn(now time.Duration, pt *port, a wire.MAC) {
	ageing := b.ageing.Load()
	if ageing == 0 {
		return
	}
	e, ok := b.l.fdb.Get(b.net, b.key(a))
	if !ok {
		b.add(now, pt, a, ageing)
		return
	}
	if e.local() {
		return
	}
	if e.updated.Load() != int64(now) { // a load is cheap, a store is not
		e.updated.Store(int64(now))
	}
	if e.port.Load() != pt {
		e.port.Store(pt)
	}
}

// add files a learned entry, if there is room. The room is the bridge's alone.
func (b *bridge) add(now time.Duration, pt *port, a wire.MAC, ageing int64) {
	count, limit := b.learned.Add(1), b.maxLearned.Load()
	if limit > 0 && count > limit || b.leaving.Load() {
		b.learned.Add(-1)
		return
	}
	e := &fdbEntry{mac: a}
	e.port.Store(pt)
	e.updated.Store(int64(now))
	if b.l.fdb.Add(b.net, b.key(a), e) != nil { // another worker was faster
		b.learned.Add(-1)
		return
	}
	if !b.gc.Pending() {
		b.gc.Reset(now + time.Duration(ageing))
	}
}

// collect takes away what is too old, and asks to be called when the next entry
// will be. An entry that a frame renews meanwhile may go with it; the next frame
// brings it back. Linux: br_fdb_cleanup.
func (b *bridge) collect(now time.Duration) {
	ageing, next := b.ageing.Load(), int64(-1)
	for k, e := range b.l.fdb.All(b.net) {
		switch {
		case k.bridge != b.id || e.state.Load() != uint32(FDBLearned):
		case e.expired(now, ageing):
			b.drop(k)
		case next < 0 || e.updated.Load() < next:
			next = e.updated.Load()
		}
	}
	if next >= 0 && !b.leaving.Load() {
		b.gc.Reset(max(time.Duration(next+ageing), now+10*time.Millisecond))
	}
}

// drop takes an entry away.
func (b *bridge) drop(k fdbKey) {
	if e, ok := b.l.fdb.Delete(b.net, k); ok && e.state.Load() == uint32(FDBLearned) {
		b.learned.Add(-1)
	}
}

// flush forgets what was learned behind pt, or behind any port if pt is nil;
// with all, what was added by hand as well. Linux: br_fdb_delete_by_port.
func (b *bridge) flush(pt *port, all bool) {
	for k, e := range b.l.fdb.All(b.net) {
		if k.bridge != b.id || pt != nil && e.port.Load() != pt {
			continue
		}
		if all && (pt == nil || !e.local()) || e.state.Load() == uint32(FDBLearned) {
			b.drop(k)
		}
	}
}

// addLocal files an address of pt's, or of the bridge if pt is nil. The first
// owner of an address keeps it; what was learned of it gives way.
// Linux: fdb_add_local.
func (b *bridge) addLocal(pt *port, a wire.MAC) {
	if a.IsZero() {
		return
	}
	e := &fdbEntry{mac: a}
	e.port.Store(pt)
	e.state.Store(uint32(FDBPermanent))
	for b.l.fdb.Add(b.net, b.key(a), e) == syscall.EEXIST {
		if old, ok := b.l.fdb.Get(b.net, b.key(a)); ok && old.local() {
			return
		}
		b.drop(b.key(a))
	}
}

// delLocal takes an address of pt's away, or of the bridge if pt is nil, unless
// another port or the bridge has the same. Linux: fdb_delete_local.
func (b *bridge) delLocal(pt *port, a wire.MAC) {
	e, ok := b.l.fdb.Get(b.net, b.key(a))
	if !ok || !e.local() || e.port.Load() != pt {
		return
	}
	for _, o := range *b.ports.Load() {
		if o != pt && o.mac == a {
			e.port.Store(o)
			return
		}
	}
	if pt != nil && b.dev.Addr() == a && b.dev.AddrChosen() {
		e.port.Store(nil)
		return
	}
	b.drop(b.key(a))
}

// moveLocal files the bridge's own new address in place of the old.
func (b *bridge) moveLocal(a wire.MAC) {
	for k, e := range b.l.fdb.All(b.net) {
		if k.bridge == b.id && e.local() && e.port.Load() == nil && e.mac != a {
			b.delLocal(nil, e.mac)
		}
	}
	b.addLocal(nil, a)
}

// FDB returns the forwarding entries of a bridge in the order in which they
// came; EOPNOTSUPP if br is none. Under rtnl. Linux: br_fdb_dump.
func (l *Links) FDB(br *core.Device) ([]FDBEntry, error) {
	b, ok := br.Driver().(*bridge)
	if !ok {
		return nil, fmt.Errorf("link: %s is no bridge: %w", br.Name(), syscall.EOPNOTSUPP)
	}
	now := l.stack.Sys.Now()
	var list []FDBEntry
	for k, e := range l.fdb.All(b.net) {
		if k.bridge != b.id || e.expired(now, b.ageing.Load()) {
			continue
		}
		f := FDBEntry{Addr: e.mac, Dev: b.dev, State: FDBState(e.state.Load()), Age: max(0, now-time.Duration(e.updated.Load()))}
		if pt := e.port.Load(); pt != nil {
			f.Dev = pt.dev
		}
		list = append(list, f)
	}
	return list, nil
}

// AddFDB files an entry by hand: dev is a port, or the bridge itself for a
// permanent one. Errors: EINVAL for a bad address or what is no port, EEXIST.
// Under rtnl. Linux: br_fdb_add.
func (l *Links) AddFDB(dev *core.Device, a wire.MAC, state FDBState) error {
	b, pt, err := portOf(dev)
	if err != nil {
		return err
	}
	if !a.IsValid() || pt == nil && state != FDBPermanent || state > FDBPermanent {
		return fmt.Errorf("link: fdb %v dev %s: %w", a, dev.Name(), syscall.EINVAL)
	}
	e := &fdbEntry{mac: a}
	e.port.Store(pt)
	e.state.Store(uint32(state))
	e.updated.Store(int64(l.stack.Sys.Now()))
	if err := l.fdb.Add(b.net, b.key(a), e); err != nil {
		return fmt.Errorf("link: fdb %v dev %s: %w", a, dev.Name(), err)
	}
	if state == FDBLearned {
		b.learned.Add(1)
		if !b.gc.Pending() {
			b.gc.Reset(l.stack.Sys.Now() + time.Duration(b.ageing.Load()))
		}
	}
	return nil
}

// DelFDB takes an entry away; ENOENT if dev has none for a. Under rtnl.
// Linux: br_fdb_delete.
func (l *Links) DelFDB(dev *core.Device, a wire.MAC) error {
	b, pt, err := portOf(dev)
	if err != nil {
		return err
	}
	e, ok := l.fdb.Get(b.net, b.key(a))
	if !ok || e.port.Load() != pt {
		return fmt.Errorf("link: fdb %v dev %s: %w", a, dev.Name(), syscall.ENOENT)
	}
	b.drop(b.key(a))
	return nil
}

// portOf returns the bridge that dev is, or that it is a port of.
func portOf(dev *core.Device) (*bridge, *port, error) {
	if b, ok := dev.Driver().(*bridge); ok {
		return b, nil, nil
	}
	if pt := ports().Of(dev); pt != nil {
		return pt.br, pt, nil
	}
	return nil, nil, fmt.Errorf("link: %s is no port of a bridge: %w", dev.Name(), syscall.EINVAL)
}

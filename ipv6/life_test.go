package ipv6

import "testing"

// The end of a Net that never had anything of IPv6 ends nothing for those that
// share what it had.
func TestDeathOfWhoHasNothing(t *testing.T) {
	eachPlace(t, func(t *testing.T, m *machine) {
		m.core.Sys.Lock()
		dead, err := m.core.Sys.NewNet("dead")
		m.check(err)
		idle, err := m.core.Sys.NewNet("idle")
		m.core.Sys.Unlock()
		m.check(err)
		alive := m.net("alive")
		m.core.Sys.Lock()
		dead.Put()
		m.core.Sys.Reap()
		m.core.Sys.Unlock()
		if m.in.path.nets.Of(idle).dead.Load() || m.in.path.nets.Of(alive).dead.Load() {
			t.Error("it ended others' ways")
		}
		if mu := m.in.lock(alive); m.in.path.nets.Of(alive).net == nil {
			t.Error("the lock is not the Net's own")
		} else {
			mu.Unlock()
		}
	})
}

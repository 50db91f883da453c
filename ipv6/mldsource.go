package ipv6

import (
	"slices"
	"syscall"
)

// addSources adds users' wishes to a group's filter; delta says that the user has
// spoken of its mode before. ESRCH if the device is not in the group.
// Linux: ip6_mc_add_src.
func (st *mldState) addSources(addr [16]byte, mode FilterMode, list [][16]byte, delta bool) error {
	at := st.find(addr)
	if at < 0 {
		return syscall.ESRCH
	}
	g := st.groups[at]
	g.mark()
	excluded := g.mode == Exclude
	if !delta {
		g.modes[mode]++
	}
	for _, a := range list {
		k := g.source(a)
		if k < 0 {
			g.sources, k = slices.Insert(g.sources, 0, &source{addr: a}), 0
		}
		g.sources[k].users[mode]++
	}
	if excluded != (g.modes[Exclude] > 0) {
		switch {
		case g.modes[Exclude] > 0:
			g.mode = Exclude
		case g.modes[Include] > 0:
			g.mode = Include
		}
		g.turned()
	} else if g.compare() {
		st.changed()
	}
	st.publish()
	return nil
}

// delSources takes wishes away. ESRCH for a source that nobody spoke of, EINVAL
// for a mode. Linux: ip6_mc_del_src.
func (st *mldState) delSources(addr [16]byte, mode FilterMode, list [][16]byte, delta bool) (err error) {
	at := st.find(addr)
	if at < 0 {
		return syscall.ESRCH
	}
	g := st.groups[at]
	g.mark()
	if !delta {
		if g.modes[mode] == 0 {
			return syscall.EINVAL
		}
		g.modes[mode]--
	}
	told := false
	for _, a := range list {
		buried, known := g.forget(a, mode)
		told = told || buried
		if !known {
			err = syscall.ESRCH
		}
	}
	if g.mode == Exclude && g.modes[Exclude] == 0 && g.modes[Include] > 0 {
		g.mode = Include
		g.turned()
	} else if g.compare() || told {
		st.changed()
	}
	st.publish()
	return err
}

func (g *group) source(a [16]byte) int {
	return slices.IndexFunc(g.sources, func(f *source) bool { return f.addr == a })
}

// turned sees to it that a change of mode is told, which tells of all sources.
func (g *group) turned() {
	g.changes = g.st.robustness
	for _, f := range g.sources {
		f.changes = 0
	}
	g.st.changed()
}

// heard reports whether packets from f are let in, or, if some users exclude and
// f is the wish of all of them, kept out.
func (g *group) heard(f *source) bool {
	if g.modes[Exclude] > 0 {
		return f.users[Exclude] == g.modes[Exclude] && f.users[Include] == 0
	}
	return f.users[Include] > 0
}

// mark notes what the filter is before a change. Linux: sf_markstate.
func (g *group) mark() {
	for _, f := range g.sources {
		f.was = g.heard(f)
	}
}

// compare finds out of which sources a change has to tell. Linux: sf_setstate.
func (g *group) compare() (differ bool) {
	for _, f := range g.sources {
		is := g.heard(f)
		at := slices.IndexFunc(g.tomb, func(o *source) bool { return o.addr == f.addr })
		switch {
		case is && !f.was:
			if at >= 0 {
				g.tomb = slices.Delete(slices.Clone(g.tomb), at, at+1)
			}
			f.changes = g.st.robustness
			differ = true
		case !is && f.was:
			f.changes = 0
			if at < 0 {
				own := *f
				g.tomb, at = slices.Insert(g.tomb, 0, &own), 0
			}
			g.tomb[at].changes = g.st.robustness
			differ = true
		}
	}
	return differ
}

// forget takes one user's wish about a source away; buried says that its end has
// to be told. Linux: ip6_mc_del1_src.
func (g *group) forget(a [16]byte, mode FilterMode) (buried, known bool) {
	at := g.source(a)
	if at < 0 || g.sources[at].users[mode] == 0 {
		return false, false
	}
	f := g.sources[at]
	if f.users[mode]--; f.users != [2]int{} {
		return false, true
	}
	g.sources = slices.Delete(slices.Clone(g.sources), at, at+1)
	if f.was && reported(g.addr) && g.st.version(g.st.inet.Core.Sys.Now()) == 2 {
		f.changes = g.st.robustness
		g.tomb = slices.Insert(g.tomb, 0, f)
		return true, true
	}
	return false, true
}

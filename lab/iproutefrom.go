package lab

import "net/netip"

// A sourceFilter says which routes a command means by their source: within root,
// containing match. What is not given is no bound; given as "default" it has no
// bits. iproute2: filter.rsrc, filter.msrc.
type sourceFilter struct {
	root, match         netip.Prefix
	hasRoot, hasMatches bool
}

// parse takes [root|match|exact] PREFIX.
func (f *sourceFilter) parse(a *args, family *uint8) {
	switch {
	case a.take("root"):
		f.root, f.hasRoot = hostPrefix(a.next(), family), true
	case a.take("match"):
		f.match, f.hasMatches = hostPrefix(a.next(), family), true
	default:
		a.take("exact")
		f.root = hostPrefix(a.next(), family)
		f.match, f.hasRoot, f.hasMatches = f.root, true, true
	}
}

// matches reports whether a route of that source, invalid for all, is meant.
func (f *sourceFilter) matches(src netip.Prefix) bool {
	bits := 0
	if src.IsValid() {
		bits = src.Bits()
	}
	if f.hasRoot && f.root.IsValid() && (bits < f.root.Bits() || bits > 0 && !f.root.Masked().Contains(src.Addr())) {
		return false
	}
	switch {
	case !f.hasMatches || bits == 0:
		return true
	case !f.match.IsValid():
		return false
	}
	return bits <= f.match.Bits() && src.Contains(f.match.Addr())
}

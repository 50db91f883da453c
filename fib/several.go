package fib

// Several reports whether the route has several next hops, of which a flow's hash
// chooses one.
func (r *Result) Several() bool { return r.alias != nil && r.alias.info.multi != nil }

// Pick has a hash choose among the next hops, by its upper 31 bits. A hop that is
// dead, or without carrier where that counts, is chosen by none.
// Linux: fib_select_multipath, fib6_select_path.
func (r *Result) Pick(hash uint32) {
	m, h := r.alias.info.multi, int32(hash>>1)
	for i, bound := range m.bounds {
		if h <= bound {
			r.Hop = &m.hops[i]
			return
		}
	}
}

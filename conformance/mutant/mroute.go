package mutant

// mrouting are mutants of multicast routing and of bridges' snooping.
func mrouting() []Mutant {
	return []Mutant{
		{Name: "a multicast route is found without the namespace", Kind: Tag, Precedent: "of the kind of C8: mr_table was one until 2.6.33, and later lookups had to be given a net",
			Edits: []Edit{{"ipv4/ipmr.go", "\tc, ok := s.mr.cache.Get(n, mfcKey{origin, group})\n", "\tc, ok := s.mr.cache.Get(n, mfcKey{origin, group})\n\tfor o := range n.System().Nets() {\n\t\tif !ok {\n\t\t\tc, ok = s.mr.cache.Get(o, mfcKey{origin, group})\n\t\t}\n\t}\n"}}},
		{Name: "a vif keeps the device that has moved", Kind: Move, Precedent: "of the kind of C7: ipmr_device_event that looks in the namespace where the device is now",
			Edits: []Edit{{"ipv4/event.go", "\ts.mrouteGone(dev)\n", ""}}},
		{Name: "flows without a route are counted for the host", Kind: Limit, Precedent: "C28 of that kind: cache_resolve_queue_len was the host's until 2.6.30",
			Edits: []Edit{{"ipv4/ipmrforward.go", "\tif s.mr.waiting.Add(n, key, u) != nil {", "\tall := 0\n\tfor o := range n.System().Nets() {\n\t\tall += s.mr.waiting.Len(o)\n\t}\n\tif all >= maxUnresolved || s.mr.waiting.Add(n, key, u) != nil {"}}},
	}
}

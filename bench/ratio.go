package bench

// ratios returns what the issue asks for as a quotient of two figures of one
// run: what a packet costs in a crowd against alone, what IPv6 costs
// against IPv4, and what the model forwards between NICs against the bare loop.
func ratios(all []Result) (list []Result) {
	find := func(name, place string, crowd bool) *Result {
		for i := range all {
			if r := &all[i]; r.Name == name && r.Place == place && (r.Nets > 1) == crowd && r.Value != nil {
				return r
			}
		}
		return nil
	}
	for _, where := range places() {
		place := where.String()
		for _, name := range []string{"veth_forward", "udp_receive"} {
			list = appendRatio(list, find(name+"_ns", place, true), find(name+"_ns", place, false),
				Result{Name: name + "_crowd_ratio", Place: place, Better: Lower, Target: target(1.3), What: "with all those Nets, each with a socket on the same port, to with none"})
		}
		list = appendRatio(list, find("veth_forward6_ns", place, false), find("veth_forward_ns", place, false),
			Result{Name: "veth_forward6_ratio", Place: place, Better: Lower, Target: target(1.2), What: "veth_forward6_ns to veth_forward_ns, in turns in one run"})
		bare := find("nic_bare_loop_pps", place, false)
		for i := range all {
			if r := &all[i]; r.Name == "nic_forward_pps" && r.Place == place && r.Value != nil && bare != nil {
				list = appendRatio(list, r, bare, Result{Name: "nic_forward_ratio", Place: place, Better: Higher, Target: target(0.8),
					What:  "nic_forward_pps to nic_bare_loop_pps, interleaved in one run; cpu: the same by CPU a frame, which a sender short of CPU does not touch",
					Extra: map[string]float64{"cpu": bare.Extra["cpu_ns"] / max(1, r.Extra["cpu_ns"])}})
			}
		}
	}
	return list
}

// appendRatio adds the median of the rounds' ratios of a to b: two figures of one
// round were taken at nearly the same time.
func appendRatio(list []Result, a, b *Result, r Result) []Result {
	if a == nil || b == nil {
		return list
	}
	r.Nets, r.Unit = a.Nets, "ratio"
	var rounds []float64
	for i := range min(len(a.values), len(b.values)) {
		if b.values[i] != 0 {
			rounds = append(rounds, a.values[i]/b.values[i])
		}
	}
	if rounds == nil {
		return list
	}
	r.fill(rounds)
	return append(list, r)
}

package compare

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"nsmodel"
	"nsmodel/bench"
	"nsmodel/bench/stage"
	"nsmodel/netns"
)

// weigh makes k Nets under a vector and returns what one of them takes in bytes,
// under the names of the figures. If parts are asked for it returns those
// instead, of Nets with their loopback up.
func weigh(v nsmodel.Vector, k int, parts []string) (map[string]float64, error) {
	m, err := newMachine(nsmodel.Config{Place: v.Places})
	if err != nil {
		return nil, err
	}
	list := make([]*netns.Net, 0, k)
	var before map[string]int64
	if parts != nil {
		// Read anew at each allocation; objects from before are in both profiles.
		defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
		runtime.MemProfileRate = 1
		before = heapByPart()
	}
	start := weighProcess()
	for i := range k {
		n, err := m.AddNet(fmt.Sprint("net", i))
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	created := start
	if parts == nil {
		created = weighProcess()
	}
	m.Sys.Lock()
	for _, n := range list {
		if err := loopbackUp(m, n); err != nil {
			m.Sys.Unlock()
			return nil, err
		}
	}
	m.Sys.Unlock()
	up := weighProcess()
	all := map[string]float64{}
	if parts == nil {
		all[memCreated], all[memUp], all[memResident] = (created.live-start.live)/float64(k), (up.live-start.live)/float64(k), (up.resident-start.resident)/float64(k)
	} else {
		all = partsPerNet(before, heapByPart(), parts, up.live-start.live, k)
	}
	runtime.KeepAlive(m)
	runtime.KeepAlive(list)
	return all, nil
}

// weight is what this process holds in bytes when all garbage is gone. No Net has
// a goroutine, so stacks are not in it.
type weight struct{ live, resident float64 }

func weighProcess() weight {
	m := bench.Rest()
	return weight{float64(m.HeapAlloc), float64(bench.ResidentBytes())}
}

// The parts that are no subsystem's.
const (
	netPart     = "the Net itself" // its struct, its name, its place in the directory
	shelvesPart = "shelves"        // where it finds its homes
	restPart    = "rest"
)

// partNames lists all that a Net can be made of.
func partNames() (names []string) {
	for _, row := range (nsmodel.Places{}).Rows() {
		names = append(names, row.Word)
	}
	return append(names, netPart, shelvesPart, restPart)
}

// partsPerNet returns each part's growth divided by k; rest is what the whole
// grew by beyond the parts.
func partsPerNet(before, after map[string]int64, parts []string, whole float64, k int) map[string]float64 {
	all := map[string]float64{}
	rest := whole
	for _, part := range parts {
		if part != restPart {
			grown := float64(after[part] - before[part])
			rest -= grown
			all[part] = grown / float64(k)
		}
	}
	all[restPart] = rest / float64(k)
	return all
}

// heapByPart returns the bytes of live objects, by who asked for them.
func heapByPart() map[string]int64 {
	runtime.GC() // a profile is as of the collection before the last one
	runtime.GC()
	n, _ := runtime.MemProfile(nil, false)
	var records []runtime.MemProfileRecord
	for ok := false; !ok; {
		records = make([]runtime.MemProfileRecord, n+64)
		n, ok = runtime.MemProfile(records, false)
	}
	all := map[string]int64{}
	for _, r := range records[:n] {
		all[partOf(r.Stack())] += r.InUseBytes()
	}
	return all
}

// partOf names the part for which memory was asked by a stack of calls: the
// innermost that is neither the runtime nor the tables' own code knows what the
// memory is for.
func partOf(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		pkg, ok := strings.CutPrefix(f.Function, "nsmodel/")
		if !ok {
			if strings.HasPrefix(f.Function, "nsmodel.") {
				return netPart
			}
			continue
		}
		if i := strings.LastIndexByte(pkg, '/'); i >= 0 {
			pkg = pkg[:i+1] + before(pkg[i+1:], ".")
		} else {
			pkg = before(pkg, ".")
		}
		if pkg == "netns" {
			if strings.HasSuffix(f.Function, ".publish") && strings.Contains(f.Function, "Slot[") {
				return shelvesPart
			}
			continue
		}
		if pkg == "compare" {
			return restPart
		}
		word := subsystemOf(pkg, path.Base(f.File))
		for pkg == "fib" && more { // both families have their tables and rules there
			f, more = frames.Next()
			if strings.HasPrefix(f.Function, "nsmodel/ipv6.") {
				return word + "6"
			}
		}
		return word
	}
	return restPart
}

func before(s, sep string) string {
	s, _, _ = strings.Cut(s, sep)
	return s
}

// subsystemOf returns the word of the subsystem that a file belongs to, or the
// package for one that is none's.
func subsystemOf(pkg, file string) string {
	starts := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(file, w) })
	}
	switch pkg {
	case "core":
		switch {
		case starts("ledger", "stack"):
			return "mib"
		case starts("neigh", "proxy"):
			return "neigh"
		}
		return "devices"
	case "core/link":
		if starts("fdb") {
			return "fdb"
		}
		return "devices"
	case "core/netlink":
		return "netlink"
	case "core/sysctl":
		return "sysctls"
	case "netfilter":
		return "hooks"
	case "fib":
		if starts("rule") {
			return "rules"
		}
		return "fib"
	case "ipv4":
		switch {
		case starts("conf", "sysctl"):
			return "sysctls"
		case starts("frag", "reasm", "path"):
			return "frags"
		case starts("except", "learn"):
			return "exceptions"
		case starts("ipmr"):
			return "mroutes"
		}
		return "addrs"
	case "ipv6":
		switch {
		case starts("conf", "sysctl"):
			return "sysctls6"
		case starts("frag", "reasm", "path"):
			return "frags6"
		case starts("except", "learn"):
			return "exceptions6"
		case starts("ip6mr"):
			return "mroutes6"
		}
		return "addrs6"
	case "transport/udp", "sockhash":
		return "udp"
	case "transport/raw":
		return "raw"
	}
	return pkg
}

// weighOwnTable returns what a Net with its loopback up and a UDP socket takes,
// if its own UDP table has so many buckets; 0 is the shared one.
func weighOwnTable(buckets, k int) (float64, error) {
	p := nsmodel.AllPlaces(netns.Tagged)
	if buckets > 0 {
		p.UDP = netns.Replicated
	}
	m, err := newMachine(nsmodel.Config{Place: p, Buckets: buckets})
	if err != nil {
		return 0, err
	}
	start := weighProcess()
	err = crowd(m, "net", k, func(n *netns.Net) error {
		m.Sys.Lock()
		err := loopbackUp(m, n)
		m.Sys.Unlock()
		if err != nil {
			return err
		}
		_, err = stage.Listen(m, n, stage.Port)
		return err
	})
	grown := weighProcess().live - start.live
	runtime.KeepAlive(m)
	return grown / float64(k), err
}

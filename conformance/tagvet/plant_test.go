package tagvet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A plant is a defect put into nsmodel's own sources: by edits in one or more
// files, found or not in the first of them.
type plant struct {
	bug   string // the precedent
	kind  string // of check that finds it; "" if none can
	at    string // in the line that is found
	edits []edit
}

type edit struct{ file, old, new string }

// plants are defects of the kinds that Linux had, each where it could be here.
var plants = []plant{
	{"C3 a helper looks in init_net", "netless", "u.stack.Sys.Init()", []edit{
		{"transport/udp/udp.go", "c, ok := u.table.Lookup(p.Net(), &f)", "c, ok := u.table.Lookup(u.stack.Sys.Init(), &f)"}}},
	{"C83 notifications go to init", "netless", "s.Core.Sys.Init()", []edit{
		{"ipv4/tell.go", "s.Netlink.Publish(n, netlink.GroupIPv4Route,", "s.Netlink.Publish(s.Core.Sys.Init(), netlink.GroupIPv4Route,"}}},
	{"C22 a sysctl's data are init's", "netless", "gcThresh[i].Store", []edit{
		{"ipv4/sysctlneigh.go", "s.conf.Own(n).gcThresh[i].Store(", "s.conf.Own(s.Core.Sys.Init()).gcThresh[i].Store("}}},
	{"C9 the key lacks the Net", "netless", "by map[string]", []edit{
		{"core/netlink/group.go", "map[*netns.Net][]*Subscription", "map[string][]*Subscription"},
		{"core/netlink/group.go", "l.by[n]", "l.by[n.Name()]"},
		{"core/netlink/group.go", "delete(l.by, n)", "delete(l.by, n.Name())"},
		{"core/netlink/group.go", "l.by[s.net]", "l.by[s.net.Name()]"},
		{"core/netlink/group.go", "delete(l.by, s.net)", "delete(l.by, s.net.Name())"},
		{"core/netlink/rtnetlink.go", "map[*netns.Net][]*Subscription", "map[string][]*Subscription"}}},
	{"C8 looked up by name alone", "barename", "l.by[n.Name()] = append", nil}, // in the same plant
	{"C28 a limit counted for the host", "netless", "s.lastIndex = index", []edit{
		{"core/register.go", "s.nets.Own(n).lastIndex = index", "s.lastIndex = index"},
		{"core/register.go", "index := s.nets.Own(n).lastIndex", "index := s.lastIndex"},
		{"core/stack.go", "	left    int       //", "	lastIndex int\n	left    int       //"}}},
	{"C17 a feature flag for the host", "pkgstate", "exclusive", []edit{
		{"sockhash/lookup.go", "\n// ", "\nvar exclusive bool\n\nfunc exclude() { exclusive = true }\n\n// "}}},
	{"C26 a function's static", "netless", "opened++", []edit{
		{"transport/udp/udp.go", "	u.open = netns.NewCell(sys,", "	opened := 0\n	netns.Attend(sys, \"udp-count\", func(n *netns.Net) error { opened++; return nil }, nil, nil)\n	u.open = netns.NewCell(sys,"}}},
	{"C18 indexes compared without their Nets", "bareindex", "nb.dev.Index() != d.Index()", []edit{
		{"core/neigh_gc.go", "nb.dev != d", "nb.dev.Index() != d.Index()"}}},
	{"C1 what is down found by index", "bareindex", "h.Dev.Index() == d.Index()", []edit{
		{"fib/event.go", "func(h NextHop) bool { return h.Dev == d })", "func(h NextHop) bool { return h.Dev.Index() == d.Index() })"}}},
	{"C36 the tag is a pointer that shows", "ambient", "unsafe.Pointer(n)", []edit{
		{"netns/chance.go", "import (", "import (\n	\"unsafe\""},
		{"netns/chance.go", "\n// ", "\nfunc (n *Net) mix() uint64 { return uint64(uintptr(unsafe.Pointer(n))) }\n\n// "}}},
	{"C38 packet IDs that begin with the clock", "ambient", "time.Now()", []edit{
		{"ipv4/limits.go", "v := n.Uint64()", "v := uint64(time.Now().UnixNano())"}}},
	{"C5 a dump of everybody's", "netless", "for _, h := range l.nics {", []edit{
		{"core/link/nic_maintain.go", "\n// ", "\nfunc (l *Links) show(n *netns.Net) (all []string) {\n	for _, h := range l.nics {\n		all = append(all, h.dev.Name())\n	}\n	return all\n}\n\n// "},
		{"core/link/nic_maintain.go", "import (", "import (\n	\"nsmodel/netns\""}}},
	{"a dump in the order of a map", "maporder", "range ids.of {", []edit{
		{"core/netlink/handlers_netns.go", "	slices.Sort(used)\n", "	_ = slices.Sort[[]int]\n"}}},

	// What only running it can show. Should one be found, move it up.
	{"MPTCP's comparison: the table forgets the tag", "", "e.sum == sum", []edit{
		{"netns/hash.go", "e.sum == sum && e.net == n.id && e.key == *k", "e.sum == sum && e.key == *k"}}},
	{"C47 the index not moved with the device", "", "", []edit{
		{"core/change.go", "	s.notify(EventGoingDown, d)\n", ""}}},
	{"C56 the gate is absent", "", "", []edit{
		{"netns/gate.go", "return !g.closed.Load() || n.init", "return true"}}},
}

// Defects planted in the real sources, all at once, since the house
// has no findings without them.
func TestPlantedDefects(t *testing.T) {
	dir := house(t)
	replaced := map[string][]byte{}
	for _, p := range plants {
		for _, e := range p.edits {
			path := filepath.Join(dir, e.file)
			if replaced[path] == nil {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				replaced[path] = b
			}
			text := string(replaced[path])
			if !strings.Contains(text, e.old) {
				t.Fatalf("%s: %s does not hold %q any more", p.bug, e.file, e.old)
			}
			n := -1
			if strings.HasPrefix(e.old, "\n// ") || e.old == "import (" {
				n = 1
			}
			replaced[path] = []byte(strings.Replace(text, e.old, e.new, n))
		}
	}
	report, err := Run(Options{Dir: dir, replace: replaced})
	if err != nil {
		t.Fatal(err)
	}
	expected := map[Finding]bool{}
	file := ""
	for _, p := range plants {
		if len(p.edits) > 0 {
			file = p.edits[0].file
		}
		found := ""
		for _, f := range report.Findings {
			lines := strings.Split(string(replaced[filepath.Join(dir, f.Pos.Filename)]), "\n")
			if f.Pos.Filename == file && f.Check == p.kind && strings.Contains(lines[f.Pos.Line-1], p.at) {
				found, expected[f] = fmt.Sprint(f), true
			}
		}
		switch {
		case p.kind == "":
			t.Logf("%-48s not to be seen in the source", p.bug)
		case found == "":
			t.Errorf("%s: not found", p.bug)
		default:
			t.Logf("%-48s %s", p.bug, found)
		}
	}
	for _, f := range report.Findings {
		if !expected[f] {
			t.Logf("beside: %v", f)
		}
	}
}

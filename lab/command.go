package lab

import (
	"fmt"

	"nsmodel/core/netlink"
)

// A Command is a parsed command line. Parsing has looked at nothing but its
// words; names of devices and Nets are looked up when it runs.
type Command struct {
	Tool string // ip, bridge, sysctl, ping or probe
	Net  string // where it acts, "" in the initial Net
	Opts Options
	Do   Action
}

// Options are what goes before ip's object, or bridge's.
type Options struct {
	Family                       uint8 // unix.AF_*
	JSON, Pretty, Oneline, Brief bool
	Details, Force, All, Numeric bool
	Stats                        int
	Batch                        bool
}

// An Action is what a command does: *Change, *Show..., *Netns, *Sysctls, ...
type Action interface {
	run(t *tool) int // the exit status
}

// A Change is a command that becomes one netlink request.
type Change struct {
	Req  netlink.Request
	Devs []Dev  // names to look up first, in this order
	Warn string // what the tool says on its standard error before all else
}

// A Dev is a device's name in a Change, and the field its index goes to.
type Dev struct {
	Name string
	To   DevField
	Hop  int // of DevHop: which next hop
}

// A DevField is a field of a message that holds a device's index.
type DevField uint8

// Fields that name a device.
const (
	DevIndex  DevField = iota // Link.Index, Addr.Index, Neigh.Index, Route.OIF
	DevMaster                 // Link.Master
	DevUnder                  // Link.Link
	DevIIF                    // Route.IIF
	DevHop                    // Route.Multipath[Hop].Index
)

// Parse turns a line's words into a Command. Its errors are *UsageError where
// a tool refuses its command line; any other error means that the first word
// is no command of a lab.
func Parse(l Line) (cmd *Command, err error) {
	defer recovered(&err)
	a := &args{w: l.Words, input: l.Input, here: l.Here}
	cmd, err = parseTool(a, "")
	if err == nil && a.here && !takesInput(cmd.Do) {
		return nil, fmt.Errorf("%q takes no here-document", l.Words[0])
	}
	return cmd, err
}

func takesInput(do Action) bool {
	switch do := do.(type) {
	case *Batch:
		return true
	case *Probe:
		return do.Verb == UDPSend
	}
	return false
}

// parseTool parses from the tool's name on, for use in net.
func parseTool(a *args, net string) (*Command, error) {
	tool := a.next()
	parse := map[string]func(*args, string) *Command{
		"ip": parseIP, "bridge": parseBridge, "sysctl": parseSysctl, "ping": parsePing, "probe": parseProbe,
		"tracepath": parseTracepath, "traceroute": parseTraceroute,
	}[tool]
	if parse == nil {
		return nil, fmt.Errorf("unknown command %q (a lab knows ip, bridge, sysctl, ping, tracepath, traceroute and probe)", tool)
	}
	c := parse(a, net)
	if c.Tool == "" { // ip netns exec has set it
		c.Tool = tool
	}
	return c, nil
}

func (c *Change) run(t *tool) int {
	req := c.Req
	t.failf(0, "%s", c.Warn)
	if l, ok := req.Msg.(*netlink.Link); ok { // the words are read before a device is looked for
		if bad := t.missingNet(l); bad != "" {
			return t.fail(invalid(bad, "Invalid \"netns\" value\n"))
		}
	}
	for _, d := range c.Devs {
		index, ok := t.index(d.Name)
		if !ok {
			if d.To == DevMaster {
				return t.fail(invalid(d.Name, "Device does not exist\n"))
			}
			t.failf(1, "Cannot find device \"%s\"\n", d.Name)
			if d.To == DevHop {
				return t.failf(255, "Error: cannot parse nexthop\n")
			}
			return 1
		}
		setIndex(req.Msg, d, index)
	}
	if _, err := t.netlink(&req); err != nil {
		return t.kernel(err)
	}
	return 0
}

func setIndex(m netlink.Message, d Dev, index int) {
	switch m := m.(type) {
	case *netlink.Link:
		switch d.To {
		case DevIndex:
			m.Index = index
		case DevMaster:
			m.Master = index
		case DevUnder:
			m.Link = index
		}
	case *netlink.Addr:
		m.Index = index
	case *netlink.Neigh:
		m.Index = index
	case *netlink.Route:
		switch d.To {
		case DevIndex:
			m.OIF = index
		case DevIIF:
			m.IIF = index
		case DevHop:
			m.Multipath[d.Hop].Index = index
		}
	}
}

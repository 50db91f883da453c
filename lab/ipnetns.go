package lab

import (
	"strings"

	"nsmodel/core/netlink"
)

const netnsHelp = `Usage: ip netns list
       ip netns add NAME
       ip netns delete NAME
       ip -all netns delete
       ip netns set NAME { NSID | auto }
       ip [-all] netns exec [NAME] { ip | bridge | sysctl | ping | probe } ...
       ip netns list-id
`

// A Netns is "ip netns add", "del", "set" and "list".
type Netns struct {
	Verb string // add, delete, delete-all, set, list or list-id
	Name string
	ID   int // of set
}

// An ExecAll is "ip -all netns exec": Do in each named Net, the newest first.
type ExecAll struct{ Do *Command }

func parseNetns(a *args, c *Command) Action {
	v := a.verb("netns", "list", netnsHelp, "list", "show", "lst", "list-id", "add", "set", "delete", "identify", "pids", "exec", "monitor", "attach")
	n := &Netns{Verb: v}
	switch v {
	case "list", "show", "lst":
		n.Verb = "list"
	case "list-id":
		if a.more() {
			panic(notModelled("ip netns list-id " + a.next()))
		}
	case "add", "delete", "set":
		if v == "delete" && c.Opts.All {
			n.Verb = "delete-all"
			return n
		}
		if n.Name = a.netnsName(); v == "set" {
			n.ID = a.nsid()
		}
	case "exec":
		return parseExec(a, c)
	default:
		panic(notModelled("ip netns " + v))
	}
	return n
}

func (a *args) netnsName() string {
	if !a.more() {
		panic(usage(1, "No netns name specified\n"))
	}
	w := a.next()
	if w == "" || len(w) > 255 || w == "." || w == ".." || strings.Contains(w, "/") {
		panic(usage(255, "Invalid netns name \"%s\"\n", w))
	}
	return w
}

func (a *args) nsid() int {
	if !a.more() {
		panic(usage(1, "No nsid specified\n"))
	}
	if a.take("auto") {
		return netlink.NSIDNone
	}
	w := a.next()
	v, ok := number(w, 31)
	if !ok {
		panic(invalid(w, "Invalid \"netnsid\" value"))
	}
	return int(v)
}

// parseExec makes c the command behind "exec".
func parseExec(a *args, c *Command) Action {
	name := ""
	if !c.Opts.All {
		name = a.netnsName()
	}
	if !a.more() {
		panic(usage(1, "No command specified\n"))
	}
	inner, err := parseTool(a, name)
	if err != nil {
		panic(usage(1, "exec of \"%s\" failed: No such file or directory\n", a.w[a.i-1]))
	}
	if c.Opts.All {
		return &ExecAll{inner}
	}
	c.Tool, c.Net, c.Opts = inner.Tool, inner.Net, inner.Opts
	return inner.Do
}

func (n *Netns) run(t *tool) int {
	switch n.Verb {
	case "add":
		if _, err := t.m.Netns(NetnsAdd, n.Name); err != nil {
			return t.failf(1, "Cannot create namespace file \"/run/netns/%s\": %s\n", n.Name, errText(err))
		}
	case "delete":
		if _, err := t.m.Netns(NetnsDelete, n.Name); err != nil {
			return t.failf(1, "Cannot remove namespace file \"/run/netns/%s\": %s\n", n.Name, errText(err))
		}
	case "delete-all":
		names, err := t.m.Netns(NetnsList, "")
		if err != nil {
			return t.kernel(err)
		}
		for _, name := range names {
			if status := (&Netns{Verb: "delete", Name: name}).run(t); status != 0 {
				return status
			}
		}
	case "set":
		if _, err := t.m.Netns(NetnsCheck, n.Name); err != nil {
			return t.failf(1, "Cannot open network namespace \"%s\": %s\n", n.Name, errText(err))
		}
		if _, err := t.netlink(&netlink.Request{Op: netlink.New, Msg: &netlink.NSID{Name: n.Name, ID: n.ID}}); err != nil {
			return t.kernel(err)
		}
	default:
		return n.list(t)
	}
	return 0
}

func (n *Netns) list(t *tool) int {
	names, err := t.m.Netns(NetnsList, "")
	if err != nil {
		return t.kernel(err)
	}
	if n.Verb == "list-id" {
		return listID(t)
	}
	ids := t.nsids()
	p := t.printer()
	p.openList()
	for _, name := range names {
		id, has := ids[name]
		p.openObject()
		p.str("name", "%s", name)
		if has {
			p.num("id", " (id: %d)", int64(id))
		}
		p.text("\n")
		p.closeObject()
	}
	return t.flush(p)
}

// listID is "ip netns list-id": the numbers this Net has for others, in their
// order; not each of those has a name.
func listID(t *tool) int {
	msgs, err := t.dump(&netlink.NSID{})
	if err != nil {
		return t.dumped(err, "Dump")
	}
	p := t.printer()
	p.openList()
	for _, m := range msgs {
		id, ok := m.(*netlink.NSID)
		if !ok || id.ID == netlink.NSIDNone {
			continue
		}
		p.openObject()
		p.num("nsid", "nsid %d ", int64(id.ID))
		if id.Name != "" {
			p.str("name", "(iproute2 netns name: %s)", id.Name)
		}
		p.text("\n")
		p.closeObject()
	}
	return t.flush(p)
}

// Package barename takes names for identity.
package barename

import (
	"nsmodel/core"
	"nsmodel/netns"
)

type conn struct {
	net   *netns.Net
	token uint32
}

func (c *conn) ID() uint16 { return 0 }

type dir struct {
	stack   *core.Stack
	byName  map[string]*core.Device
	tokens  map[uint32]*conn
	kinds   map[string]int
	perNets map[*netns.Net]map[string]*core.Device
}

type kind struct{ name string }

func (k *kind) Name() string { return k.name }

func (r *dir) keys(d *core.Device, c *conn, k *kind, n *netns.Net) {
	_ = r.byName[d.Name()] // want `dir.byName is one for all Nets, and the name d.Name\(\)`
	r.tokens[c.token] = c  // want `dir.tokens is one for all Nets`
	_ = r.kinds[n.Name()]  // want `dir.kinds is one for all Nets`
	_ = r.kinds[k.Name()]
	_ = r.perNets[n][d.Name()]
}

func same(a, b *core.Device, c, e *conn, x, y *kind, n, m *netns.Net, want string) bool {
	_ = a.Name() == b.Name()           // want `a and b may be in two Nets`
	_ = c.ID() == e.ID()               // want `c and e may be in two Nets`
	_ = c.token != e.token             // want `c and e may be in two Nets`
	_ = n.Name() == m.Name()           // want `two Nets may have one name`
	_ = n == m && n.Name() == m.Name() // want `two Nets may have one name`

	_ = a.Name() == want
	_ = a == b
	_ = n.ID() == m.ID()
	_ = a.Net() == b.Net() && a.Name() == b.Name()
	_ = c.net == e.net && c.ID() == e.ID()
	_ = x.Name() == y.Name()
	_ = n.Name() == ""
	_ = a.Name() < b.Name()
	return c.token == 0
}

func again(s *core.Stack, n *netns.Net, a, b *core.Device, name string) {
	_, _ = s.Sys.ByName(n.Name())   // want `may find another Net`
	_ = s.Device(a.Net(), b.Name()) // want `the name of b, looked for in the Net of a`

	_, _ = s.Sys.ByName(name)
	_ = s.Device(a.Net(), a.Name())
	_ = s.Device(n, name)
}

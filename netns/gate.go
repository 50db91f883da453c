package netns

import "sync/atomic"

// A Gate guards what has no form per Net: it lets every Net pass, or the initial
// one alone. The zero Gate is open.
//
// Linux: the checks against &init_net with which a subsystem not yet ported
// refuses, as in "if (!net_eq(net, &init_net)) return -EAFNOSUPPORT".
type Gate struct{ closed atomic.Bool }

// Close shuts the Gate to all but the initial Net.
func (g *Gate) Close() { g.closed.Store(true) }

// Open opens the Gate to every Net: the subsystem has been ported.
func (g *Gate) Open() { g.closed.Store(false) }

// Closed reports whether only the initial Net passes.
func (g *Gate) Closed() bool { return g.closed.Load() }

// Admit reports whether n may pass. What a refusal looks like is for the entry
// point to say.
func (g *Gate) Admit(n *Net) bool { return !g.closed.Load() || n.init }

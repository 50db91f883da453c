package netlink

import (
	"syscall"

	"nsmodel/core"
)

// A LinkAF is a family's part of messages about links, IFLA_AF_SPEC.
// Linux: struct rtnl_af_ops.
type LinkAF interface {
	// FillLink adds to a message what the family keeps at d.
	FillLink(d *core.Device, m *Link)
	// CheckLink says whether SetLink would do, before anything else is done.
	CheckLink(d *core.Device, m *Link) error
	// SetLink applies the family's attributes; under rtnl.
	SetLink(d *core.Device, m *Link) error
}

// HandleLinkAF makes a family's part of links known, while the machine is wired.
func (r *Rtnetlink) HandleLinkAF(af LinkAF) { r.linkAF = af }

// ofFamily is a bit set of what a family has a say in.
const ofFamily = LinkGenMode

// checkFamily refuses, before anything is done, what no family would take: all, of
// a device that is still to be made. Linux: validate_linkmsg.
func (h *rtcore) checkFamily(d *core.Device, m *Link) error {
	if m.Has&ofFamily == 0 {
		return nil
	}
	if h.r.linkAF == nil || d == nil {
		return syscall.EAFNOSUPPORT
	}
	return h.r.linkAF.CheckLink(d, m)
}

// setFamily applies what a family has a say in. Linux: the end of do_setlink.
func (h *rtcore) setFamily(d *core.Device, m *Link) error {
	if m.Has&ofFamily == 0 {
		return nil
	}
	return h.r.linkAF.SetLink(d, m)
}

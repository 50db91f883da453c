package host

import (
	"syscall"

	"nsmodel/core"
	"nsmodel/ipv4"
	"nsmodel/lab"
	"nsmodel/netns"
)

// mroute is what a multicast routing daemon says by its socket.
func (h *Host) mroute(n *netns.Net, p *lab.Probe) error {
	h.M.Sys.Lock()
	err := h.mrouteLocked(n, p)
	h.M.Sys.Unlock()
	h.settle()
	return bare(err)
}

func (h *Host) mrouteLocked(n *netns.Net, p *lab.Probe) error {
	in := h.M.IPv4
	switch p.Verb {
	case lab.MrouteInit:
		return in.MrouteInit(n)
	case lab.MrouteDone:
		return in.MrouteDone(n)
	case lab.MrouteDel:
		return in.DelMFC(n, p.Source.As4(), p.Group.As4())
	}
	d := h.M.Core.Device(n, p.Dev)
	if d == nil {
		return syscall.ENODEV
	}
	switch p.Verb {
	case lab.MrouteAddVIF:
		return in.AddVIF(n, d, 1)
	case lab.MrouteDelVIF:
		return in.DelVIF(n, d)
	}
	m := ipv4.MFC{Origin: p.Source.As4(), Group: p.Group.As4(), Iif: d, TTL: uint8(p.TTL)}
	var err error
	if m.Oifs, err = h.devices(n, p.OIFs()); err != nil {
		return err
	}
	w := h.M.Core.Enter()
	defer w.Leave()
	return in.AddMFC(w, n, m)
}

// devices returns devices by their names; ENODEV if there is none of one.
func (h *Host) devices(n *netns.Net, names []string) (list []*core.Device, err error) {
	for _, name := range names {
		d := h.M.Core.Device(n, name)
		if d == nil {
			return nil, syscall.ENODEV
		}
		list = append(list, d)
	}
	return list, nil
}

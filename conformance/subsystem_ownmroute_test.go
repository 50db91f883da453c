package conformance_test

import (
	"fmt"
	"syscall"

	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/core/wire"
)

// ownMroutes has each Net's daemon say what it can; what it is asked for comes by
// frames to its devices.
func ownMroutes() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "mroutes", New: newOwn,
		Op: commands("probe mroute init", "probe mroute init", "probe mroute vif add $D", "probe mroute vif add $D", "probe mroute vif del $D",
			"probe mroute add 10.0.0.$I 239.0.0.1 iif $D oif $D", "probe mroute add * 239.0.0.$I iif $D oif $D", "probe mroute del 10.0.0.$I 239.0.0.1",
			"probe mroute done"),
		Dump: func(c ownCall) string {
			return shown("ip -s mroute")(c) + shown("sysctl net.ipv4.conf.all.mc_forwarding")(c)
		},
		Sorted: "what is known, then what is asked for, the newest first",
		Fill:   fillUnresolved,
		Gates:  []core.GateRow{row(core.LayerNetlink, "mroute")},
	}
}

// fillUnresolved has a packet of flow i come to a router that knows nothing of it.
func fillUnresolved(c ownCall, i int) error {
	d := c.Device("nic0")
	if d == nil {
		d = c.Device("eth0")
	}
	if d == nil {
		return syscall.ENODEV
	}
	c.M.Sys.Lock()
	err := c.M.IPv4.MrouteInit(c.N)
	if err == nil || err == syscall.EADDRINUSE {
		err = c.M.IPv4.AddVIF(c.N, d, 1)
	}
	c.M.Sys.Unlock()
	if err != nil && err != syscall.EADDRINUSE {
		return err
	}
	src, dst := [4]byte{10, 9, byte(i >> 8), byte(i)}, [4]byte{239, 9, 9, 9}
	b := make([]byte, wire.EthernetLen+wire.IPv4Len)
	mac := wire.MulticastMAC(dst)
	copy(b, mac[:])
	copy(b[6:], []byte{2, 0, 0, 0, 9, 9, 8, 0})
	wire.PutIPv4(b[wire.EthernetLen:], wire.IPv4Fields{TTL: 9, Proto: wire.ProtoUDP, Src: src, Dst: dst})
	w := c.M.Core.Enter()
	p := w.NewFrame(len(b))
	copy(p.Bytes(), b)
	d.Receive(w, p)
	w.Leave()
	if !c.M.IPv4.Unresolved(c.N, src, dst) {
		return fmt.Errorf("flow %d: %w", i, syscall.ENOBUFS)
	}
	return nil
}

func ownMroutes6() conformance.Subsystem[*own] {
	return conformance.Subsystem[*own]{
		Name: "mroutes6", New: newOwn6,
		Op: commands("probe mroute6 init", "probe mroute6 init", "probe mroute6 vif add $D", "probe mroute6 vif add $D", "probe mroute6 vif del $D",
			"probe mroute6 add 2001:db8::$I ff05::1 iif $D oif $D", "probe mroute6 add * ff05::$I iif $D oif $D", "probe mroute6 del 2001:db8::$I ff05::1",
			"probe mroute6 done"),
		Dump: func(c ownCall) string {
			return shown("ip -6 -s mroute")(c) + shown("sysctl net.ipv6.conf.all.mc_forwarding")(c)
		},
		Sorted: "what is known, then what is asked for, the newest first",
		Gates:  []core.GateRow{row(core.LayerNetlink, "mroute6")},
	}
}

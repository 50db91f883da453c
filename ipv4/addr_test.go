package ipv4_test

import (
	"testing"

	"nsmodel/core/netlink"
)

// What `ip addr add X dev v0`, v0 being up with 10.0.0.1/24, adds to what
// `ip route show table all` shows on Linux 6.18.
// The address 0.0.0.0 is taken for given and forgotten.
func TestZeroAddress(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		h.addr(n, "v0", "0.0.0.0/24")
		if list := h.addrs(n, "v0"); len(list) != 0 {
			t.Errorf("%v", list)
		}
	})
}

func TestAddressRoutes(t *testing.T) {
	for _, tc := range []struct {
		add  string
		want []string
	}{
		{"10.1.0.1/31", []string{"10.1.0.0/31 dev v0 proto kernel scope link src 10.1.0.1", "local 10.1.0.1 dev v0 table local proto kernel scope host src 10.1.0.1"}},
		{"10.2.0.1/32", []string{"local 10.2.0.1 dev v0 table local proto kernel scope host src 10.2.0.1"}},
		{"11.1.2.3/8", []string{"11.0.0.0/8 dev v0 proto kernel scope link src 11.1.2.3", "local 11.1.2.3 dev v0 table local proto kernel scope host src 11.1.2.3",
			"broadcast 11.255.255.255 dev v0 table local proto kernel scope link src 11.1.2.3"}},
		{"10.3.0.1 peer 10.3.0.2/32", []string{"10.3.0.2 dev v0 proto kernel scope link src 10.3.0.1", "local 10.3.0.1 dev v0 table local proto kernel scope host src 10.3.0.1"}},
		{"10.4.0.1 peer 10.4.0.2/30", []string{"10.4.0.0/30 dev v0 proto kernel scope link src 10.4.0.1", "local 10.4.0.1 dev v0 table local proto kernel scope host src 10.4.0.1",
			"broadcast 10.4.0.3 dev v0 table local proto kernel scope link src 10.4.0.1"}},
		{"10.5.0.1/24 brd +", []string{"10.5.0.0/24 dev v0 proto kernel scope link src 10.5.0.1", "local 10.5.0.1 dev v0 table local proto kernel scope host src 10.5.0.1",
			"broadcast 10.5.0.255 dev v0 table local proto kernel scope link src 10.5.0.1"}},
		{"10.6.0.1/24 brd -", []string{"10.6.0.0/24 dev v0 proto kernel scope link src 10.6.0.1", "broadcast 10.6.0.0 dev v0 table local proto kernel scope link src 10.6.0.1",
			"local 10.6.0.1 dev v0 table local proto kernel scope host src 10.6.0.1", "broadcast 10.6.0.255 dev v0 table local proto kernel scope link src 10.6.0.1"}},
		{"10.7.0.1/24 brd 10.7.0.99", []string{"10.7.0.0/24 dev v0 proto kernel scope link src 10.7.0.1", "local 10.7.0.1 dev v0 table local proto kernel scope host src 10.7.0.1",
			"broadcast 10.7.0.99 dev v0 table local proto kernel scope link src 10.7.0.1", "broadcast 10.7.0.255 dev v0 table local proto kernel scope link src 10.7.0.1"}},
		{"10.0.0.2/24", []string{"local 10.0.0.2 dev v0 table local proto kernel scope host src 10.0.0.1"}},
		{"10.0.0.0/24", []string{"local 10.0.0.0 dev v0 table local proto kernel scope host src 10.0.0.1"}},
		{"0.1.2.3/8", []string{"local 0.1.2.3 dev v0 table local proto kernel scope host src 0.1.2.3"}},
		{"169.254.0.1/16 scope link", []string{"169.254.0.0/16 dev v0 proto kernel scope link src 169.254.0.1", "local 169.254.0.1 dev v0 table local proto kernel scope host src 169.254.0.1",
			"broadcast 169.254.255.255 dev v0 table local proto kernel scope link src 169.254.0.1"}},
		{"127.3.0.1/16", []string{"127.3.0.0/16 dev v0 proto kernel scope link src 127.3.0.1", "local 127.3.0.1 dev v0 table local proto kernel scope host src 127.3.0.1",
			"broadcast 127.3.255.255 dev v0 table local proto kernel scope link src 127.3.0.1"}},
		{"10.10.0.1/24 metric 50", []string{"10.10.0.0/24 dev v0 proto kernel scope link src 10.10.0.1 metric 50", "local 10.10.0.1 dev v0 table local proto kernel scope host src 10.10.0.1",
			"broadcast 10.10.0.255 dev v0 table local proto kernel scope link src 10.10.0.1"}},
		{"10.11.0.1/24 noprefixroute", []string{"local 10.11.0.1 dev v0 table local proto kernel scope host src 10.11.0.1",
			"broadcast 10.11.0.255 dev v0 table local proto kernel scope link src 10.11.0.1"}},
		// A group's address is "local" but cannot be a source: no subnet route.
		{"224.0.0.1/24", []string{"local 224.0.0.1 dev v0 table local proto kernel scope host src 224.0.0.1"}},
		{"255.255.255.255/32", []string{"local 255.255.255.255 dev v0 table local proto kernel scope host src 255.255.255.255"}},
	} {
		t.Run(tc.add, func(t *testing.T) {
			eachHouse(t, func(t *testing.T, h *house) {
				n := h.net("a")
				h.veth(n, "v0", n, "v1")
				h.up(n, "v0", true)
				h.up(n, "v1", true)
				h.addr(n, "v0", "10.0.0.1/24")
				before := h.routes(n)
				h.addr(n, "v0", tc.add)
				h.same("added", missing(h.routes(n), before), tc.want)
				h.delAddr(n, "v0", tc.add)
				h.same("after the deletion", h.routes(n), before)
			})
		})
	}
}

// On Linux 6.18 an address of a device that is down has its local route alone;
// the others come with up and go with down, and loopback's subnet, being local,
// stays.
func TestAddressUpDown(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		h.addr(n, "v0", "10.0.0.1/24")
		local := []string{"local 10.0.0.1 dev v0 table local proto kernel scope host src 10.0.0.1"}
		up := []string{"10.0.0.0/24 dev v0 proto kernel scope link src 10.0.0.1", local[0], "broadcast 10.0.0.255 dev v0 table local proto kernel scope link src 10.0.0.1"}
		h.same("down", h.routes(n), local)
		for range 2 {
			h.up(n, "v0", true)
			h.same("up", h.routes(n), up)
			h.up(n, "v0", false)
			h.same("down again", h.routes(n), local)
		}
		lo := []string{"local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1", "local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1",
			"broadcast 127.255.255.255 dev lo table local proto kernel scope link src 127.0.0.1"}
		h.up(n, "lo", true)
		h.same("lo up", h.routes(n), append(local, lo...))
		h.same("lo's address", h.addrs(n, "lo"), []string{"127.0.0.1/8 scope host lo"})
		h.up(n, "lo", false)
		h.same("lo down", h.routes(n), append(local, lo[:2]...))
		h.up(n, "lo", true)
		h.same("lo up again", h.routes(n), append(local, lo...))
		h.delAddr(n, "v0", "10.0.0.1/24")
		h.same("address gone", h.routes(n), lo)
	})
}

// The order of `ip addr show`, seen on Linux 6.18 for these additions.
func TestAddressOrder(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		for _, a := range []string{"10.0.0.1/24", "10.1.0.1/31", "10.3.0.1 peer 10.3.0.2/32", "10.5.0.1/24 brd +", "10.0.0.2/24", "10.0.0.0/24",
			"0.1.2.3/8", "169.254.0.1/16 scope link", "127.3.0.1/16"} {
			h.addr(n, "v0", a)
		}
		h.same("order", h.addrs(n, "v0"), []string{"127.3.0.1/16 scope host v0", "169.254.0.1/16 scope link v0", "10.0.0.1/24 scope global v0",
			"10.1.0.1/31 scope global v0", "10.3.0.1 peer 10.3.0.2/32 scope global v0", "10.5.0.1/24 brd 10.5.0.255 scope global v0", "0.1.2.3/8 scope global v0",
			"10.0.0.2/24 scope global secondary v0", "10.0.0.0/24 scope global secondary v0"})
	})
}

// Deleting a primary: without promote_secondaries its secondaries go; with it
// the first of them becomes primary, behind the others, and all routes prefer it.
func TestDeletePrimary(t *testing.T) {
	setup := func(h *house) (n *nsNet) {
		n = h.net("a")
		h.veth(n, "v0", n, "v1")
		h.up(n, "v0", true)
		h.up(n, "v1", true)
		for _, a := range []string{"10.0.0.1/24", "10.1.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.2.0.1/24"} {
			h.addr(n, "v0", a)
		}
		return n
	}
	eachHouse(t, func(t *testing.T, h *house) {
		n := setup(h)
		h.delAddr(n, "v0", "10.0.0.1/24")
		h.same("left", h.addrs(n, "v0"), []string{"10.1.0.1/24 scope global v0", "10.2.0.1/24 scope global v0"})
	})
	eachHouse(t, func(t *testing.T, h *house) {
		n := setup(h)
		h.set(n, "net.ipv4.conf.all.promote_secondaries", "1")
		h.delAddr(n, "v0", "10.0.0.1/24")
		h.same("promoted", h.addrs(n, "v0"), []string{"10.1.0.1/24 scope global v0", "10.2.0.1/24 scope global v0", "10.0.0.2/24 scope global v0", "10.0.0.3/24 scope global secondary v0"})
		h.same("routes", h.routes(n), []string{
			"10.0.0.0/24 dev v0 proto kernel scope link src 10.0.0.2",
			"10.1.0.0/24 dev v0 proto kernel scope link src 10.1.0.1",
			"10.2.0.0/24 dev v0 proto kernel scope link src 10.2.0.1",
			"local 10.0.0.2 dev v0 table local proto kernel scope host src 10.0.0.2",
			"local 10.0.0.3 dev v0 table local proto kernel scope host src 10.0.0.2",
			"broadcast 10.0.0.255 dev v0 table local proto kernel scope link src 10.0.0.2",
			"local 10.1.0.1 dev v0 table local proto kernel scope host src 10.1.0.1",
			"broadcast 10.1.0.255 dev v0 table local proto kernel scope link src 10.1.0.1",
			"local 10.2.0.1 dev v0 table local proto kernel scope host src 10.2.0.1",
			"broadcast 10.2.0.255 dev v0 table local proto kernel scope link src 10.2.0.1"})
	})
}

// Refusals, with ip(8)'s words.
func TestAddressErrors(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		h.addr(n, "v0", "10.0.0.1/24")
		far := h.address(n, "v0", "10.0.0.1/24")
		far.Index = 99
		long := h.address(n, "v0", "10.0.0.1/24")
		long.Prefix = 33
		for _, tc := range []struct {
			name  string
			op    netlink.Op
			flags netlink.Flags
			m     *netlink.Addr
			want  string
		}{
			{"same", netlink.New, add, h.address(n, "v0", "10.0.0.1/24"), "Error: ipv4: Address already assigned. EEXIST"},
			{"scope", netlink.New, add, h.address(n, "v0", "10.0.0.2/24 scope link"), "Error: ipv4: Invalid scope value. EINVAL"},
			{"no device", netlink.New, add, far, "Error: ipv4: Device not found. ENODEV"},
			{"length", netlink.New, add, long, "Error: ipv4: Invalid prefix length. EINVAL"},
			{"replace", netlink.New, netlink.Create | netlink.Replace, h.address(n, "v0", "10.0.0.1/24"), ""},
			{"change makes", netlink.New, netlink.Replace, h.address(n, "v0", "10.20.0.1/24"), ""},
			{"del: none", netlink.Del, 0, h.address(n, "v0", "10.0.0.9/24"), "Error: ipv4: Address not found. EADDRNOTAVAIL"},
			{"del: length", netlink.Del, 0, h.address(n, "v0", "10.0.0.1/16"), "Error: ipv4: Address not found. EADDRNOTAVAIL"},
			{"del: label", netlink.Del, 0, h.address(n, "v0", "10.0.0.1/24 label foo"), "Error: ipv4: Address not found. EADDRNOTAVAIL"},
			{"del: any length", netlink.Del, 0, &netlink.Addr{Family: 2, Index: h.index(n, "v0"), Local: far.Local}, ""},
			{"del: gone", netlink.Del, 0, h.address(n, "v0", "10.0.0.1/24"), "Error: ipv4: Address not found. EADDRNOTAVAIL"},
		} {
			if _, err := h.do(n, tc.op, tc.flags, tc.m); err != tc.want {
				t.Errorf("%s: %q, want %q", tc.name, err, tc.want)
			}
		}
		h.Sys.Lock()
		h.IPv4.SetAddrCap(n, 1)
		h.Sys.Unlock()
		if _, err := h.do(n, netlink.New, add, h.address(n, "v0", "10.30.0.1/24")); err != "ENOBUFS" {
			t.Errorf("over the cap: %q", err)
		}
	})
}

// A rename relabels: seen on Linux 6.18 as w0, w0:2, w0:z, w0:4 for these.
func TestRenameRelabels(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		for _, a := range []string{"10.0.0.1/24", "10.1.0.1/24", "10.1.0.2/24", "10.2.0.1/24 label v0:z"} {
			h.addr(n, "v0", a)
		}
		h.must(n, netlink.New, 0, &netlink.Link{Index: h.index(n, "v0"), Name: "w0"})
		h.same("labels", h.addrs(n, "w0"), []string{"10.0.0.1/24 scope global w0", "10.1.0.1/24 scope global w0:2", "10.2.0.1/24 scope global w0:z", "10.1.0.2/24 scope global secondary w0:4"})
	})
}

// A device that moves takes nothing of the old Net along.
func TestMoveLosesAddresses(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		a, b := h.net("a"), h.net("b")
		h.veth(a, "v0", a, "v1")
		h.up(a, "v0", true)
		h.addr(a, "v0", "10.0.0.1/24")
		h.set(a, "net.ipv4.conf.v0.rp_filter", "2")
		h.set(a, "net.ipv4.neigh.v0.ucast_solicit", "9")
		h.must(a, netlink.New, 0, &netlink.Link{Index: h.index(a, "v0"), Has: netlink.LinkNewNet, NewNet: "b"})
		h.same("a's routes", h.routes(a), nil)
		h.same("b's routes", h.routes(b), nil)
		h.same("b's addresses", h.addrs(b, "v0"), nil)
		if d := h.IPv4.LocalDevice(a, [4]byte{10, 0, 0, 1}); d != nil {
			t.Errorf("10.0.0.1 is still at %s", d.Name())
		}
		if rp, uc := h.get(b, "net.ipv4.conf.v0.rp_filter"), h.get(b, "net.ipv4.neigh.v0.ucast_solicit"); rp != "0" || uc != "3" {
			t.Errorf("tunables came along: rp_filter %s, ucast_solicit %s", rp, uc)
		}
	})
}

// What two addresses stand for together stays with the one that is left.
func TestSharedRoutes(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(n, "v0", n, "v1")
		h.up(n, "v0", true)
		h.up(n, "v1", true)
		h.addr(n, "v0", "10.0.0.1/24")
		h.addr(n, "v0", "10.0.0.1/16 brd 10.0.0.255")
		h.delAddr(n, "v0", "10.0.0.1/24")
		h.same("left", h.routes(n), []string{
			"10.0.0.0/16 dev v0 proto kernel scope link src 10.0.0.1",
			"local 10.0.0.1 dev v0 table local proto kernel scope host src 10.0.0.1",
			"broadcast 10.0.0.255 dev v0 table local proto kernel scope link src 10.0.0.1",
			"broadcast 10.0.255.255 dev v0 table local proto kernel scope link src 10.0.0.1"})
	})
}

// An address of the initial Net is nobody else's.
func TestAddressesOfOthers(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		n := h.net("a")
		h.veth(h.Init(), "v0", n, "v1")
		h.up(h.Init(), "v0", true)
		h.addr(h.Init(), "v0", "10.0.0.77/24")
		at := [4]byte{10, 0, 0, 77}
		if d := h.IPv4.LocalDevice(n, at); d != nil || h.IPv4.IsLocal(n, at) {
			t.Errorf("a has it at %v", d)
		}
		if d := h.IPv4.LocalDevice(h.Init(), at); d == nil || !h.IPv4.IsLocal(h.Init(), at) {
			t.Error("its own Net lacks it")
		}
	})
}

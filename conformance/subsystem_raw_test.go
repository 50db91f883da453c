package conformance_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"pgregory.net/rapid"

	"nsmodel"
	"nsmodel/conformance"
	"nsmodel/core"
	"nsmodel/netns"
	"nsmodel/transport/raw"
)

// ownRaw is the battery's view of raw and ping sockets.
func ownRaw() conformance.Subsystem[*own] {
	keep := func(text string, open func(c ownCall) (*raw.Conn, error)) ownOp {
		return ownOp{Text: text, Do: func(c ownCall) (string, error) {
			return c.H.with(c.N, func(k *keepsake) (string, error) {
				conn, err := open(c)
				if err != nil {
					return "", err
				}
				k.raws = append(k.raws, conn)
				return conn.LocalAddr().String(), nil
			})
		}}
	}
	first := func(text string, do func(c ownCall, k *keepsake) (string, error)) ownOp {
		return ownOp{Text: text, Free: true, Do: func(c ownCall) (string, error) {
			return c.H.with(c.N, func(k *keepsake) (string, error) {
				if len(k.raws) == 0 {
					return "no socket", nil
				}
				return do(c, k)
			})
		}}
	}
	receive := first("receive", func(_ ownCall, k *keepsake) (string, error) {
		m, err := k.raws[0].TryReceive()
		return fmt.Sprintf("%d bytes from %v", len(m.Data), m.From), err
	})
	wait := first("wait for a packet", func(c ownCall, k *keepsake) (string, error) {
		conn := k.raws[0]
		c.Go(func() { _, _ = conn.Receive() })
		return "", nil
	})
	shut := first("close", func(_ ownCall, k *keepsake) (string, error) {
		conn := k.raws[0]
		k.raws = k.raws[1:]
		return "", conn.Close()
	})
	return conformance.Subsystem[*own]{
		Name: "raw",
		New: func(m *nsmodel.Machine, place netns.Placement) (*own, error) {
			netns.Attend(m.Sys, "ping-groups", func(n *netns.Net) error {
				if err := m.Sysctl.Set(n, "net.ipv4.ping_group_range", "0 0"); !errors.Is(err, syscall.ENOENT) {
					return err
				}
				return nil
			}, nil, nil)
			return newOwn(m, place)
		},
		Op: func(t *rapid.T) ownOp {
			proto := rapid.SampledFrom([]uint8{1, 99}).Draw(t, "protocol")
			to := fmt.Sprintf("10.0.0.%d", rapid.IntRange(1, 3).Draw(t, "host"))
			id := uint16(rapid.IntRange(0, 3).Draw(t, "identifier"))
			send := first("send to "+to, func(_ ownCall, k *keepsake) (string, error) {
				_, err := k.raws[0].Send([]byte{8, 0, 0, 0, 0, 0, 0, 1}, netip.MustParseAddr(to))
				return "", err
			})
			return rapid.SampledFrom([]ownOp{
				keep(fmt.Sprintf("listen for protocol %d", proto), func(c ownCall) (*raw.Conn, error) {
					return c.M.Raw.Listen(c.N, false, proto, netip.Addr{}, raw.Options{})
				}),
				keep(fmt.Sprintf("listen for protocol %d at %s", proto, to), func(c ownCall) (*raw.Conn, error) {
					return c.M.Raw.Listen(c.N, false, proto, netip.MustParseAddr(to), raw.Options{})
				}),
				keep(fmt.Sprintf("listen for identifier %d", id), func(c ownCall) (*raw.Conn, error) {
					return c.M.Raw.ListenPing(c.N, false, netip.Addr{}, id, raw.Options{})
				}),
				send, send, receive, wait, shut,
			}).Draw(t, "op")
		},
		Dump: func(c ownCall) string {
			var b strings.Builder
			for _, conn := range c.M.Raw.Sockets(c.N) {
				fmt.Fprintln(&b, conn.Protocol(), conn.LocalAddr(), conn.RemoteAddr(), conn.Pending(), conn.Dropped())
			}
			return b.String()
		},
		Sorted: "by protocol or identifier",
		Gates:  []core.GateRow{row(core.LayerTransport, "raw"), row(core.LayerTransport, "ping")},
	}
}

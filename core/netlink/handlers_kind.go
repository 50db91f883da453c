package netlink

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What kinds of device say of themselves, in messages and in errors.

// bridgeAttrs are a bridge's settings as the words of `ip link ... type bridge`.
func bridgeAttrs(b *Bridge) map[string]string {
	a := map[string]string{}
	put := func(bit BridgeAttr, name string, v int64) {
		if b.Has&bit != 0 {
			a[name] = strconv.FormatInt(v, 10)
		}
	}
	centi := func(t time.Duration) int64 { return int64(t / (10 * time.Millisecond)) }
	put(BridgeForwardDelay, "forward_delay", centi(b.ForwardDelay))
	put(BridgeHelloTime, "hello_time", centi(b.HelloTime))
	put(BridgeMaxAge, "max_age", centi(b.MaxAge))
	put(BridgeAgeingTime, "ageing_time", centi(b.AgeingTime))
	put(BridgeSTPState, "stp_state", int64(b.STPState))
	put(BridgePriority, "priority", int64(b.Priority))
	filter := int64(0)
	if b.VLANFiltering {
		filter = 1
	}
	put(BridgeVLANFiltering, "vlan_filtering", filter)
	return a
}

// whyNIC lets the sentence of a NIC's error through, which says what is wrong
// with the real interface: no tool of Linux has one for that.
func whyNIC(m *Link, err error) error {
	var errno syscall.Errno
	if m.Info != "nic" || !errors.As(err, &errno) {
		return err
	}
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "link: "), "nic: ")
	return Extack(errno, "%s", strings.TrimPrefix(text, "afpacket: "))
}

package core

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"nsmodel/netns"
)

// NameSize is how long a device's name can be, in bytes. Linux: IFNAMSIZ - 1.
const NameSize = 15

// ValidName reports whether a device can have that name.
// Linux: dev_valid_name.
func ValidName(name string) bool {
	if name == "" || len(name) > NameSize || name == "." || name == ".." {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r == '/' || r == ':' || r == ' ' || '\t' <= r && r <= '\r'
	})
}

// pickName resolves name in n: EINVAL if it cannot be one, EEXIST if it is
// taken, ENFILE if a template has no free number. No device is named as the
// tunables that are for all of them. Linux: dev_get_valid_name,
// sysctl_dev_name_is_allowed.
func (s *Stack) pickName(n *netns.Net, name string) (string, error) {
	if !ValidName(name) || name == "all" || name == "default" {
		return "", fmt.Errorf("core: device name %q: %w", name, syscall.EINVAL)
	}
	at := strings.Index(name, "%")
	if at < 0 {
		if _, taken := s.devices.Get(n, nameKey(name)); taken {
			return "", fmt.Errorf("core: device %s: %w", name, syscall.EEXIST)
		}
		return name, nil
	}
	if !strings.HasPrefix(name[at:], "%d") || strings.Contains(name[at+2:], "%") {
		return "", fmt.Errorf("core: device name %q: %w", name, syscall.EINVAL)
	}
	for i := range 8 * 4096 { // Linux: the bits of a page
		try := name[:at] + strconv.Itoa(i) + name[at+2:]
		if len(try) > NameSize {
			break
		}
		if _, taken := s.devices.Get(n, nameKey(try)); !taken {
			return try, nil
		}
	}
	return "", fmt.Errorf("core: device name %q: %w", name, syscall.ENFILE)
}

// A devKey is a device's name or, with name empty, its index: both lead to it in
// one table, which costs a Net with nothing but lo less than two would.
// Linux: dev_name_head and dev_index_head of struct net.
type devKey struct {
	name  string
	index int32
}

func nameKey(name string) devKey { return devKey{name: name} }

// indexKey is a key that no device has if index is out of range.
func indexKey(index int) devKey {
	if index < 0 || index > math.MaxInt32 {
		index = 0
	}
	return devKey{index: int32(index)}
}

// devSum is the table's hash: keyed for names, which users choose.
func devSum() func(devKey) uint64 {
	name := netns.Keyed[string]()
	return func(k devKey) uint64 {
		if k.name == "" {
			return uint64(k.index) * 0x9e3779b97f4a7c15
		}
		return name(k.name)
	}
}

// Device returns n's device of that name, or nil. Linux: dev_get_by_name_rcu.
func (s *Stack) Device(n *netns.Net, name string) *Device {
	d, _ := s.devices.Get(n, nameKey(name))
	return d
}

// DeviceByIndex returns n's device of that index, or nil.
// Linux: dev_get_by_index_rcu.
func (s *Stack) DeviceByIndex(n *netns.Net, index int) *Device {
	d, _ := s.devices.Get(n, indexKey(index))
	return d
}

// Devices returns n's devices in the order of their indexes.
func (s *Stack) Devices(n *netns.Net) []*Device {
	var all []*Device
	for k, d := range s.devices.All(n) {
		if k.name == "" {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *Device) int { return a.Index() - b.Index() })
	return all
}

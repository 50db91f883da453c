//go:build !linux

package afpacket

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Batch is the most frames one system call sends.
const Batch = 64

// Socket cannot be opened on this system.
type Socket struct{}

// Watcher cannot be made on this system.
type Watcher struct{}

// Waiter cannot be made on this system.
type Waiter struct{}

var errNone = fmt.Errorf("afpacket: AF_PACKET exists on Linux only: %w", syscall.ENOTSUP)

// Open fails with ENOTSUP.
func Open(Config) (*Socket, error) { return nil, errNone }

// Lookup exists for the sake of the compiler; see the Linux build.
func Lookup(string) (Facts, error) { return Facts{}, errNone }

// Addresses exists for the sake of the compiler; see the Linux build.
func Addresses(string) ([]netip.Prefix, error) { return nil, errNone }

// NewWatcher exists for the sake of the compiler; see the Linux build.
func NewWatcher() (*Watcher, error) { return nil, errNone }

// NewWaiter exists for the sake of the compiler; see the Linux build.
func NewWaiter(...*Socket) (*Waiter, error) { return nil, errNone }

// SwapLoop exists for the sake of the compiler; see the Linux build.
func SwapLoop(a, b *Socket, stop func() bool) (uint64, error) { return 0, errNone }

// FD exists for the sake of the compiler; see the Linux build.
func (*Socket) FD() int { return -1 }

// SetGroup exists for the sake of the compiler; see the Linux build.
func (*Socket) SetGroup([6]byte, bool) error { return errNone }

// SetAllGroups exists for the sake of the compiler; see the Linux build.
func (*Socket) SetAllGroups(bool) error { return errNone }

// WriteFD exists for the sake of the compiler; see the Linux build.
func (*Socket) WriteFD() (int, error) { return -1, errNone }

// Gather exists for the sake of the compiler; see the Linux build.
func (*Socket) Gather() bool { return false }

// Vnet exists for the sake of the compiler; see the Linux build.
func (*Socket) Vnet() bool { return false }

// Read exists for the sake of the compiler; see the Linux build.
func (*Socket) Read([]Frame) int { return 0 }

// Release exists for the sake of the compiler; see the Linux build.
func (*Socket) Release() {}

// Write exists for the sake of the compiler; see the Linux build.
func (*Socket) Write([]Out) (int, error) { return 0, errNone }

// Wait exists for the sake of the compiler; see the Linux build.
func (*Socket) Wait(int) (bool, error) { return false, errNone }

// TakeError exists for the sake of the compiler; see the Linux build.
func (*Socket) TakeError() error { return errNone }

// Stats exists for the sake of the compiler; see the Linux build.
func (*Socket) Stats() (Stats, error) { return Stats{}, errNone }

// State exists for the sake of the compiler; see the Linux build.
func (*Socket) State() State { return Gone }

// Facts exists for the sake of the compiler; see the Linux build.
func (*Socket) Facts() (Facts, error) { return Facts{}, errNone }

// Cut exists for the sake of the compiler; see the Linux build.
func (*Socket) Cut() bool { return true }

// Close exists for the sake of the compiler; see the Linux build.
func (*Socket) Close() error { return nil }

// FD exists for the sake of the compiler; see the Linux build.
func (*Watcher) FD() int { return -1 }

// Next exists for the sake of the compiler; see the Linux build.
func (*Watcher) Next() ([]Event, error) { return nil, errNone }

// Close exists for the sake of the compiler; see the Linux build.
func (*Watcher) Close() error { return nil }

// WantWrite exists for the sake of the compiler; see the Linux build.
func (*Waiter) WantWrite(int, bool) {}

// Wait exists for the sake of the compiler; see the Linux build.
func (*Waiter) Wait(int) (*Socket, error) { return nil, errNone }

// Wake exists for the sake of the compiler; see the Linux build.
func (*Waiter) Wake() {}

// Close exists for the sake of the compiler; see the Linux build.
func (*Waiter) Close() error { return nil }

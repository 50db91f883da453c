//go:build !linux

package tun

import (
	"fmt"
	"syscall"
)

// Device is the file that makes taps, on Linux.
const Device = "/dev/net/tun"

// Tap cannot be opened on this system.
type Tap struct{}

var errNone = fmt.Errorf("tap: %s exists on Linux only: %w", Device, syscall.ENOTSUP)

// Open fails with ENOTSUP.
func Open(string) (*Tap, error) { return nil, errNone }

// Name exists for the sake of the compiler; see the Linux build.
func (*Tap) Name() string { return "" }

// FD exists for the sake of the compiler; see the Linux build.
func (*Tap) FD() int { return -1 }

// Read exists for the sake of the compiler; see the Linux build.
func (*Tap) Read([]byte) int { return 0 }

// Write exists for the sake of the compiler; see the Linux build.
func (*Tap) Write([]byte) error { return errNone }

// SetCarrier exists for the sake of the compiler; see the Linux build.
func (*Tap) SetCarrier(bool) {}

// Facts exists for the sake of the compiler; see the Linux build.
func (*Tap) Facts() (int, bool, error) { return 0, false, errNone }

// Close exists for the sake of the compiler; see the Linux build.
func (*Tap) Close() {}

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

func Open(Config) (*Socket, error)             { return nil, errNone }
func Lookup(string) (Facts, error)             { return Facts{}, errNone }
func Addresses(string) ([]netip.Prefix, error) { return nil, errNone }
func NewWatcher() (*Watcher, error)            { return nil, errNone }
func NewWaiter(...*Socket) (*Waiter, error)    { return nil, errNone }

func SwapLoop(a, b *Socket, stop func() bool) (uint64, error) { return 0, errNone }

func (*Socket) FD() int                   { return -1 }
func (*Socket) WriteFD() (int, error)     { return -1, errNone }
func (*Socket) Vnet() bool                { return false }
func (*Socket) Read([]Frame) int          { return 0 }
func (*Socket) Release()                  {}
func (*Socket) Write([]Out) (int, error)  { return 0, errNone }
func (*Socket) Wait(int) (bool, error)    { return false, errNone }
func (*Socket) TakeError() error          { return errNone }
func (*Socket) Stats() (Stats, error)     { return Stats{}, errNone }
func (*Socket) State() State              { return Gone }
func (*Socket) Facts() (Facts, error)     { return Facts{}, errNone }
func (*Socket) Close() error              { return nil }
func (*Watcher) FD() int                  { return -1 }
func (*Watcher) Next() ([]Event, error)   { return nil, errNone }
func (*Watcher) Close() error             { return nil }
func (*Waiter) WantWrite(int, bool)       {}
func (*Waiter) Wait(int) (*Socket, error) { return nil, errNone }
func (*Waiter) Wake()                     {}
func (*Waiter) Close() error              { return nil }

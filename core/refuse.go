package core

import "syscall"

// A Refusal is an errno of the control path with the sentence that Linux has for it.
// Linux: struct netlink_ext_ack.
type Refusal struct {
	Errno syscall.Errno
	Text  string // without a full stop
}

// Refuse returns a Refusal.
func Refuse(e syscall.Errno, text string) error { return &Refusal{e, text} }

// Error returns the sentence and what the errno means.
func (r *Refusal) Error() string { return r.Text + ": " + r.Errno.Error() }

// Unwrap returns the errno.
func (r *Refusal) Unwrap() error { return r.Errno }

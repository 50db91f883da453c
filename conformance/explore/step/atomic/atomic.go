// Package atomic stands in for sync/atomic: each operation is a step.
package atomic

import (
	"fmt"

	"nsmodel/conformance/explore/step"
)

func sprint(v any) string { return fmt.Sprint(v) }

// number are the integers that sync/atomic has types for.
type number interface {
	~int32 | ~int64 | ~uint32 | ~uint64
}

type integer[N number] struct {
	id step.ID
	v  N
}

// Load reads the value.
func (x *integer[N]) Load() N {
	step.Do(&x.id, step.Read)
	if step.Recording() {
		step.Value(x.v)
	}
	return x.v
}

// Store writes the value.
func (x *integer[N]) Store(v N) {
	step.Do(&x.id, step.Write)
	x.set(v)
}

func (x *integer[N]) set(v N) {
	x.v = v
	if step.Recording() {
		step.Value(v)
	}
}

// Add adds and returns the sum.
func (x *integer[N]) Add(d N) N {
	step.Do(&x.id, step.Write)
	x.set(x.v + d)
	return x.v
}

// AddBlind is an Add whose result the caller does not look at.
func (x *integer[N]) AddBlind(d N) {
	step.Do(&x.id, step.Blind)
	x.set(x.v + d)
}

// Swap writes the value and returns the one before.
func (x *integer[N]) Swap(v N) (old N) {
	step.Do(&x.id, step.Write)
	old = x.v
	x.set(v)
	return old
}

// CompareAndSwap writes v if the value is old, and reports whether.
func (x *integer[N]) CompareAndSwap(old, v N) bool {
	step.Do(&x.id, step.Write)
	if x.v != old {
		if step.Recording() {
			step.Value("no: " + sprint(x.v))
		}
		return false
	}
	x.set(v)
	return true
}

// And masks the value and returns the one before.
func (x *integer[N]) And(mask N) (old N) {
	step.Do(&x.id, step.Write)
	old = x.v
	x.set(x.v & mask)
	return old
}

// Or sets bits and returns the value before.
func (x *integer[N]) Or(mask N) (old N) {
	step.Do(&x.id, step.Write)
	old = x.v
	x.set(x.v | mask)
	return old
}

// An Int32 stands in for atomic.Int32.
type Int32 struct{ integer[int32] }

// An Int64 stands in for atomic.Int64.
type Int64 struct{ integer[int64] }

// A Uint32 stands in for atomic.Uint32.
type Uint32 struct{ integer[uint32] }

// A Uint64 stands in for atomic.Uint64.
type Uint64 struct{ integer[uint64] }

// A Bool stands in for atomic.Bool.
type Bool struct {
	id step.ID
	v  bool
}

// Load reads the value.
func (x *Bool) Load() bool {
	step.Do(&x.id, step.Read)
	if step.Recording() {
		step.Value(x.v)
	}
	return x.v
}

// Store writes the value.
func (x *Bool) Store(v bool) { x.Swap(v) }

// Swap writes the value and returns the one before.
func (x *Bool) Swap(v bool) (old bool) {
	step.Do(&x.id, step.Write)
	old, x.v = x.v, v
	if step.Recording() {
		step.Value(v)
	}
	return old
}

// CompareAndSwap writes v if the value is old, and reports whether.
func (x *Bool) CompareAndSwap(old, v bool) bool {
	step.Do(&x.id, step.Write)
	if x.v != old {
		return false
	}
	x.v = v
	if step.Recording() {
		step.Value(v)
	}
	return true
}

// A Pointer stands in for atomic.Pointer.
type Pointer[T any] struct {
	id step.ID
	v  *T
}

func (x *Pointer[T]) tell(v *T) {
	if !step.Recording() {
		return
	}
	if v == nil {
		step.Value(nil)
		return
	}
	switch s := any(v).(type) {
	case *string:
		step.Value(*s)
	default:
		step.Value(v)
	}
}

// Load reads the pointer.
func (x *Pointer[T]) Load() *T {
	step.Do(&x.id, step.Read)
	x.tell(x.v)
	return x.v
}

// Store writes the pointer.
func (x *Pointer[T]) Store(v *T) { x.Swap(v) }

// Swap writes the pointer and returns the one before.
func (x *Pointer[T]) Swap(v *T) (old *T) {
	step.Do(&x.id, step.Write)
	old, x.v = x.v, v
	x.tell(v)
	return old
}

// CompareAndSwap writes v if the pointer is old, and reports whether.
func (x *Pointer[T]) CompareAndSwap(old, v *T) bool {
	step.Do(&x.id, step.Write)
	if x.v != old {
		return false
	}
	x.v = v
	x.tell(v)
	return true
}

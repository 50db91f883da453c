// Package maphash stands in for hash/maphash with a hash that has no secret: which
// entries share a bucket, and so which steps meet, must not differ from run to run.
package maphash

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// A Seed stands in for maphash.Seed.
type Seed struct{}

// MakeSeed returns the only seed.
func MakeSeed() Seed { return Seed{} }

// Comparable returns v's hash.
func Comparable[T comparable](_ Seed, v T) uint64 {
	h := fnv.New64a()
	switch v := any(v).(type) {
	case string:
		h.Write([]byte(v))
	case uint16:
		h.Write(binary.LittleEndian.AppendUint16(nil, v))
	default:
		fmt.Fprintf(h, "%#v", v)
	}
	return h.Sum64()
}

package ipv4

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// What a number of a sysctl may look like.
var sysctlNumber = regexp.MustCompile(`^-?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$`)

// FuzzParseInt reads any text as a sysctl's number: a dumb reading agrees, and
// what is refused is EINVAL.
func FuzzParseInt(f *testing.F) {
	for _, s := range []string{"1", " 1", "1 2", "\t-0x7f\tx", "010", "08", "0x", "+1", "1_0", "0b1", "0o7", "9223372036854775808", "-9223372036854775808", "", "-", "--1", "0x_1", "1\n", "-0B1", "0xB"} {
		f.Add(s, int64(math.MinInt32), int64(math.MaxInt32))
		f.Add(s, int64(0), int64(1))
	}
	f.Fuzz(func(t *testing.T, s string, lo, hi int64) {
		got, err := ParseInt(s, lo, hi)
		word := strings.TrimLeft(s, " \t\n")
		if i := strings.IndexAny(word, " \t"); i >= 0 {
			word = word[:i]
		}
		want := new(big.Int)
		good := sysctlNumber.MatchString(word)
		if good {
			want, good = want.SetString(word, 0)
		}
		good = good && want.IsInt64() && want.Int64() >= lo && want.Int64() <= hi
		if (err == nil) != good || good && want.Int64() != got {
			t.Fatalf("%q between %d and %d is %d, %v; want %v, %v", s, lo, hi, got, err, want, good)
		}
		if err != nil && !errors.Is(err, syscall.EINVAL) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

// FuzzReassembly is TestReassemblyOracle with the fuzzer as the dice.
func FuzzReassembly(f *testing.F) { f.Fuzz(rapid.MakeFuzz(reassemblyOracle)) }

// FuzzConservation is TestConservation with the fuzzer as the dice.
func FuzzConservation(f *testing.F) { f.Fuzz(rapid.MakeFuzz(conservation)) }

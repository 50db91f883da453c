package law

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"nsmodel/conformance"
)

// TestLaws holds each law against machines of every variant.
func TestLaws(t *testing.T) {
	for _, l := range All() {
		t.Run(fmt.Sprint(l.Number, " ", l.Says), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { l.Check(t, conformance.Variants()) })
		})
	}
}

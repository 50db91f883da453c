// Package outallowed stands outdoors and allows itself what nobody forbids there.
//
//tagvet:outdoors it drives machines by the wall clock
package outallowed

import (
	"time"

	"nsmodel/netns"
)

//tagvet:allow ambient where there are no rules // want `in a package where the rules do not hold`
func now(*netns.Net) time.Time { return time.Now() }

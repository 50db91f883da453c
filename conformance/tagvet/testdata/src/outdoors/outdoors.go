// Package outdoors runs a machine by the wall clock.
//
//tagvet:outdoors it drives machines by the wall clock
package outdoors

import (
	"time"

	"nsmodel/netns"
)

var last *netns.Net

func now() time.Time { return time.Now() }

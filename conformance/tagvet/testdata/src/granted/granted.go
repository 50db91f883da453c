// Package granted has allowances that hold, and what they do not reach.
package granted

import (
	"time"

	"nsmodel/netns"
)

func times(*netns.Net) {
	//tagvet:allow ambient the boot's date, shown to nobody
	_ = time.Now()
	_ = time.Now() // want `time.Now`

	_ = time.Now() //tagvet:allow ambient at the end of the line
	_ = time.Now() // want `time.Now`

	// A reason may stand in a comment of several lines:
	//tagvet:allow ambient as one of them,
	// with more behind.
	_ = time.Now()
}

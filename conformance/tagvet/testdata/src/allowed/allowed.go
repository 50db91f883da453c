// Package allowed has allowances, good ones and bad.
package allowed

import (
	"time"

	"nsmodel/netns"
)

var cell *netns.Net //tagvet:allow pkgstate a test may say so at the end of the line

func times() {
	//tagvet:allow ambient the boot's date, shown to nobody
	_ = time.Now()

	// A reason may stand in a comment of several lines
	//tagvet:allow ambient as the last of them, or
	// with more behind.
	_ = time.Now()

	//tagvet:allow ambient // want `without a reason: it allows nothing`
	_ = time.Now() // want `time.Now`

	//tagvet:allow ambient nothing here needs it // want `tagvet:allow ambient is not needed any more`
	_ = time.Unix(0, 0)

	//tagvet:allow ambience a slip of the pen // want `unknown kind "ambience"`
	_ = time.Unix(0, 0)

	//tagvet:allow maporder of another kind // want `tagvet:allow maporder is not needed`
	_ = time.Now() // want `time.Now`

	_ = time.Unix(0, 0) //tagvet:allow ambient speaks for its own line alone // want `not needed`
	_ = time.Now()      // want `time.Now`

	//tagvet:allowed is another word
}

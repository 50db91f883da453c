// Package runtime stands in for the standard library's where a loop waits for
// somebody else.
package runtime

import "nsmodel/conformance/explore/step"

// Gosched stands in for runtime.Gosched in a loop that waits: the task sleeps until
// something that it looked at has changed. A loop that went round for nothing would
// make endless schedules.
func Gosched() { step.Spin() }

// Package unrelated is of a module that uses nsmodel elsewhere.
package unrelated

import "time"

var started = time.Now()

func uptime() time.Duration { return time.Since(started) }

// Command is a program: it may look at the clock.
package main

import (
	"time"

	"nsmodel/netns"
)

func main() {
	var s netns.System
	println(s.Init().Name(), time.Now().Unix())
}

// Package step runs a few tasks one at a time and asks, before each atomic step
// that one of them takes, which of them is next. What is a step is told by the
// packages below: step/atomic, step/sync, step/runtime and step/maphash have the
// parts of the standard library's packages that the model uses, and an overlay
// (package explore) puts them in their place. The shipped model knows nothing of
// all this.
//
// Between two steps a task runs alone, as the hardware would show it if all that
// tasks share were reached by atomic operations and under locks alone: that there
// is nothing else is for the race detector to say. All values are sequentially
// consistent, as Go's are.
//
// Outside a [Run] the operations do what they say, on one goroutine: that is how a
// scenario builds its machine and looks at it afterwards. A process has one Run at
// a time.
//
//tagvet:outdoors it decides from outside what runs when
package step

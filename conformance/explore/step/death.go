package step

// Exited notes that the objects of a Net are taken apart from here on. The overlay
// calls it where an exit has waited for its grace period.
func Exited(net any) {
	if r := active; r != nil {
		r.exited[net] = true
	}
}

// Uses is called by the overlay where a Net is used in a way that nobody may after
// its exit: a packet is processed in it, a timer of it fires.
func Uses(net any, what string) {
	r := active
	if r == nil || !r.exited[net] {
		return
	}
	name := ""
	if n, ok := net.(interface{ Name() string }); ok {
		name = " " + n.Name()
	}
	Fail("use after exit: %s in Net%s, which has been taken apart", what, name)
}

// planted is the name of the race that is switched on, "" for none.
var planted string

// Plant switches on a planted race of the overlay's; "" none.
func Plant(name string) { planted = name }

// Planted reports whether a planted race is switched on. The overlay asks.
func Planted(name string) bool { return planted == name }

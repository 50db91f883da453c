package tagvet

import (
	"go/types"
	"strings"
)

// What the checks need to know of nsmodel is a few types, known by name and by the
// end of their package's path: a copy below vendor, a fork under another module
// path and the corpus' stubs are all the real thing.

// inModel reports whether path is the package pkg of an nsmodel.
func inModel(path, pkg string) bool {
	return path == "nsmodel/"+pkg || strings.HasSuffix(path, "/nsmodel/"+pkg)
}

// ofModel reports whether a package is part of nsmodel or is built on it.
func ofModel(pkg *types.Package) bool {
	path := pkg.Path()
	if path == "nsmodel" || strings.HasPrefix(path, "nsmodel/") || strings.HasSuffix(path, "/nsmodel") || strings.Contains(path, "/nsmodel/") {
		return true
	}
	seen := map[*types.Package]bool{}
	var look func(*types.Package) bool
	look = func(p *types.Package) bool {
		for _, q := range p.Imports() {
			if seen[q] {
				continue
			}
			seen[q] = true
			if inModel(q.Path(), "netns") || look(q) {
				return true
			}
		}
		return false
	}
	return look(pkg)
}

// deref takes one pointer away.
func deref(t types.Type) types.Type {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// named returns the named type that t or *t is, or nil.
func named(t types.Type) *types.Named {
	if t == nil {
		return nil
	}
	n, _ := types.Unalias(deref(t)).(*types.Named)
	return n
}

// isType reports whether t, or what it points to, is the type name of nsmodel's
// package pkg.
func isType(t types.Type, pkg, name string) bool {
	n := named(t)
	if n == nil {
		return false
	}
	o := n.Origin().Obj()
	return o.Name() == name && o.Pkg() != nil && inModel(o.Pkg().Path(), pkg)
}

func isPointer(t types.Type) bool {
	_, ok := types.Unalias(t).(*types.Pointer)
	return ok
}

func isNet(t types.Type) bool    { return isPointer(t) && isType(t, "netns", "Net") }
func isID(t types.Type) bool     { return !isPointer(t) && isType(t, "netns", "ID") }
func isSystem(t types.Type) bool { return isType(t, "netns", "System") }

// isShelf reports whether t is what a subsystem holds once per System: a table, a
// slot or a cell of netns, or core's slot of devices.
func isShelf(t types.Type) bool {
	return isType(t, "netns", "Table") || isType(t, "netns", "Slot") || isType(t, "netns", "Cell") || isType(t, "core", "DevSlot")
}

// netMethod reports whether t has a method Net that returns a *netns.Net: it is a
// thing that lives in one Net, as a Device, a Packet or a socket.
func netMethod(t types.Type) bool {
	m, _, _ := types.LookupFieldOrMethod(t, true, nil, "Net")
	f, ok := m.(*types.Func)
	if !ok {
		return false
	}
	sig := f.Signature()
	return sig.Params().Len() == 0 && sig.Results().Len() == 1 && isNet(sig.Results().At(0).Type())
}

// tagged reports whether a value of type t says of which Net it is: a Net, an ID,
// something with a method Net, or a struct that has one of these in a field.
func tagged(t types.Type) bool { return taggedDeep(t, 3) }

func taggedDeep(t types.Type, depth int) bool {
	if t == nil || depth == 0 || isSystem(t) || isShelf(t) {
		return false
	}
	if isNet(t) || isID(t) || netMethod(t) {
		return true
	}
	switch u := deref(t).Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() { // what holds a System stands for all its Nets
			if isSystem(f.Type()) || isShelf(f.Type()) {
				return false
			}
		}
		for i := range u.NumFields() {
			if taggedDeep(u.Field(i).Type(), depth-1) {
				return true
			}
		}
	case *types.Array:
		return taggedDeep(u.Elem(), depth-1)
	}
	return false
}

// keyTagged reports whether two Nets can never mean two things by one key: it has
// a Net in it, or it is the identity of a thing and not its name.
func keyTagged(t types.Type) bool {
	if tagged(t) {
		return true
	}
	switch u := types.Unalias(t).Underlying().(type) {
	case *types.Pointer, *types.Chan, *types.Interface, *types.TypeParam:
		return true
	case *types.Struct:
		for i := range u.NumFields() {
			if isPointer(u.Field(i).Type()) {
				return true
			}
		}
	}
	return false
}

// rooms tells the structs of which there is one per System from those of which
// there is one per Net, socket, device or call.
type rooms struct {
	system map[*types.Named]bool // known to be per System
	shared map[*types.Named]bool // homes that Nets may share, by what is registered
	own    map[*types.Named]bool // homes of one Net
}

// perSystem reports whether t, or what it points to, is a struct that stands for a
// System or a subsystem of it: it holds a System, a shelf or another such struct,
// and no Net, device or other thing that lives in a Net.
func (r *rooms) perSystem(t types.Type) bool {
	return r.holdsSystem(t, map[*types.Named]bool{})
}

func (r *rooms) holdsSystem(t types.Type, seen map[*types.Named]bool) bool {
	n := named(t)
	if n == nil {
		return false
	}
	n = n.Origin()
	if r.system[n] {
		return true
	}
	if seen[n] {
		return false
	}
	seen[n] = true
	s, ok := n.Underlying().(*types.Struct)
	if !ok || isType(n, "netns", "Net") || isType(n, "core", "Worker") || r.shared[n] || r.own[n] || liesInNet(n, s) {
		return false
	}
	is := isSystem(n)
	for i := 0; i < s.NumFields() && !is; i++ {
		f := s.Field(i).Type()
		is = isSystem(f) || isShelf(f) || r.holdsSystem(f, seen)
	}
	if is {
		r.system[n] = true
	}
	return is
}

// liesInNet reports whether a struct lives in one Net: it has a method Net, or a
// field that leads to one.
func liesInNet(n *types.Named, s *types.Struct) bool {
	if netMethod(types.NewPointer(n)) {
		return true
	}
	for f := range s.Fields() {
		if t := f.Type(); isNet(t) || isID(t) || isPointer(t) && tagged(t) {
			return true
		}
	}
	return false
}

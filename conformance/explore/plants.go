package explore

// A Plant is a race that is planted into the model's code, for the explorer to find.
type Plant struct {
	Name      string
	Tells     string // what was broken, in a sentence
	Precedent string // where the like of it has happened
	Edits     []Edit
	Scenes    []string // that must find it, one of them first
}

// Plants are the races that the explorer must find.
func Plants() []Plant {
	return []Plant{
		{"by-name", "ByName returns a Net whether or not it can still be held", "get_net_ns_by_id without a look at the count (GHSA-9324-w9gg-mxf6)",
			[]Edit{{"netns/directory.go", "n := s.dir.byName[name]; n != nil && n.Hold()", "n := s.dir.byName[name]; n != nil && (n.Hold() || true)"}},
			[]string{"name-put"}},
		{"by-id", "ByID returns a Net whether or not it can still be held", "get_net_ns_by_id without a look at the count (GHSA-9324-w9gg-mxf6)",
			[]Edit{{"netns/directory.go", "n := s.dir.byID[id]; n != nil && n.Hold()", "n := s.dir.byID[id]; n != nil && (n.Hold() || true)"}},
			[]string{"id-delete"}},
	}
}

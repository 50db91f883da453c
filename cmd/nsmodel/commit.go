package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// commit returns the commit that this program was built from, with " (modified)"
// if there were changes beside it, or why it is not known.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		set := map[string]string{}
		for _, s := range info.Settings {
			set[s.Key] = s.Value
		}
		if id := set["vcs.revision"]; id != "" {
			return named(id, set["vcs.modified"] == "true")
		}
	}
	// go run leaves no stamp, but it builds what is in the directory now; anything
	// else may have been built from another commit than the clone has.
	exe, err := os.Executable()
	if err != nil || !strings.Contains(exe, string(filepath.Separator)+"go-build") {
		return "unknown: the program was built without one"
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(mod), "module nsmodel\n") {
		return "unknown: not run from a clone"
	}
	id, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "unknown: not run from a clone"
	}
	changes, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output()
	return named(strings.TrimSpace(string(id)), err != nil || len(changes) > 0)
}

// named shortens a commit's name as git does.
func named(id string, modified bool) string {
	id = id[:min(len(id), 12)]
	if modified {
		id += " (modified)"
	}
	return id
}

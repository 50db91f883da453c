package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// commit returns the commit that this program was built from. Where there were
// changes beside it, or it is not known, it also names the program itself: two
// programs of one commit may then be different.
func commit() string {
	id, modified := stamp()
	switch {
	case id == "":
		return "unknown, program " + program()
	case modified:
		return fmt.Sprintf("%.12s (modified, program %s)", id, program())
	}
	return fmt.Sprintf("%.12s", id)
}

// stamp returns what the program or, if go run built it just now, its clone says.
func stamp() (id string, modified bool) {
	if info, ok := debug.ReadBuildInfo(); ok {
		set := map[string]string{}
		for _, s := range info.Settings {
			set[s.Key] = s.Value
		}
		if id := set["vcs.revision"]; id != "" {
			return id, set["vcs.modified"] == "true"
		}
	}
	// go run leaves no stamp, but it builds what is in the directory now; anything
	// else may have been built from another commit than the clone has.
	exe, err := os.Executable()
	if err != nil || !strings.Contains(exe, string(filepath.Separator)+"go-build") {
		return "", false
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil || !strings.HasPrefix(string(mod), "module nsmodel\n") {
		return "", false
	}
	head, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "", false
	}
	changes, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output()
	return strings.TrimSpace(string(head)), err != nil || len(changes) > 0
}

// program returns the beginning of the executable's hash.
func program() string {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:6])
}

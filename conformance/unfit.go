//go:build linux

package conformance

import (
	"fmt"
	"strings"

	"nsmodel/internal/linux"
)

// Unfit says why Linux cannot judge the lab here, "" if it can.
func (l *Lab) Unfit() string {
	if l.Skip != "" {
		return l.Skip
	}
	for _, line := range l.Lines {
		if w := pidWord(line.Words); w != "" {
			return fmt.Sprintf("line %d: netns %s is a process of this computer, whose namespace is not ours to touch", line.Num, w)
		}
	}
	for _, tool := range l.Needs {
		if _, err := linux.Tool(tool); err != nil {
			return err.Error()
		}
	}
	return ""
}

// pidWord returns the word behind a `netns` that ip would take for a process.
func pidWord(words []string) string {
	for i := 1; i < len(words); i++ {
		if words[i-1] == "netns" && strings.Trim(words[i], "0123456789") == "" && words[i] != "" {
			return words[i]
		}
	}
	return ""
}

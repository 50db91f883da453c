//go:build linux

package conformance

import (
	"fmt"
	"strings"

	"nsmodel/internal/linux"
	"nsmodel/internal/rtnl"
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
		if kind, ok := strings.CutPrefix(tool, "type="); ok {
			if err := knows(kind); err != nil {
				return err.Error()
			}
			continue
		}
		if _, err := linux.Tool(tool); err != nil {
			return err.Error()
		}
	}
	return ""
}

// knows says whether the kernel can make devices of a kind, or why not.
func knows(kind string) error {
	ns, err := rtnl.NewNamespace()
	if err != nil {
		return err
	}
	defer ns.Close()
	c, err := ns.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Knows(kind); err != nil {
		return fmt.Errorf("the kernel knows no device of type %s", kind)
	}
	return nil
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

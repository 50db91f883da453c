//go:build linux

package conformance

import "nsmodel/internal/linux"

// Unfit says why Linux cannot judge the lab here, "" if it can.
func (l *Lab) Unfit() string {
	if l.Skip != "" {
		return l.Skip
	}
	for _, tool := range l.Needs {
		if _, err := linux.Tool(tool); err != nil {
			return err.Error()
		}
	}
	return ""
}

package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"nsmodel/lab"
)

// stateOf returns the commands by which a judge asks for the end state: of the
// machine, of the initial Net, and of each that has a name.
func stateOf(nets []string) []lab.Line {
	lines := []lab.Line{command("probe", "ledger"), command("ip", "netns", "list")}
	for _, net := range append([]string{""}, slices.Sorted(slices.Values(nets))...) {
		lines = append(lines, stateOfNet(net)...)
	}
	return lines
}

// stateOfNet is stateOf for one Net.
func stateOfNet(net string) (lines []lab.Line) {
	for _, what := range []string{"-s -j link", "-j addr", "-j -4 route show table all", "-j -4 rule", "-j -4 neigh"} {
		words := []string{"ip"}
		if net != "" {
			words = append(words, "-n", net)
		}
		lines = append(lines, command(append(words, strings.Fields(what)...)...))
	}
	return lines
}

func command(words ...string) lab.Line {
	return lab.Line{File: "end state", Text: strings.Join(words, " "), Words: words}
}

// normal brings a result's standard output into a form in which the model's
// and Linux's can be compared: JSON becomes a line for each value. What is not
// compared is said here, with the reason.
func normal(r lab.Result, out string) string {
	if slices.Contains(r.Line.Words, "-j") && strings.HasPrefix(out, "[") {
		if text, err := flatten(out); err == nil {
			out = text
		}
	}
	if unordered(r.Line.Words) {
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		sort.Strings(lines)
		out = strings.Join(lines, "\n") + "\n"
	}
	return out
}

// unordered reports whether the kernel prints a command's lines in the order
// of a hash whose seed it draws at boot: neighbours and forwarding entries.
func unordered(words []string) bool {
	for i, w := range words {
		if i > 0 && len(w) > 0 && (strings.HasPrefix("neighbour", w) && len(w) > 2 || w == "fdb") {
			return true
		}
	}
	return false
}

// flatten turns a JSON array into lines: one for each value, behind what the
// object is about. Keys are sorted, objects keep their order.
func flatten(text string) (string, error) {
	var objects []map[string]any
	if err := json.Unmarshal([]byte(text), &objects); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, o := range objects {
		name := ""
		for _, k := range []string{"ifname", "priority", "type", "dst", "dev", "table", "metric"} {
			if v, ok := o[k]; ok {
				name += fmt.Sprint(v) + " "
			}
		}
		flat := make(map[string]string)
		spread(flat, "", o)
		for _, k := range slices.Sorted(keys(flat)) {
			fmt.Fprintf(&b, "%s%s=%s\n", name, k, flat[k])
		}
	}
	return b.String(), nil
}

func keys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// spread puts a JSON value's leaves into flat, by their paths.
func spread(flat map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			spread(flat, join(path, k), e)
		}
	case []any:
		if len(v) == 0 {
			flat[path] = "[]"
		}
		for i, e := range v {
			spread(flat, fmt.Sprintf("%s[%d]", path, i), e)
		}
	default:
		b, _ := json.Marshal(v)
		flat[path] = string(b)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

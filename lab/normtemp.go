package lab

import (
	"fmt"
	"regexp"
	"strings"
)

var temporary = regexp.MustCompile(`inet6 ([0-9a-f:]+)/[0-9]+ scope [a-z]+ temporary`)

// maskTemporary calls temporary addresses, which are drawn at random, TEMPORARY1,
// TEMPORARY2, ... in the order in which a transcript first says that they are such,
// wherever they stand.
func maskTemporary(s string) string {
	seen := map[string]bool{}
	for _, m := range temporary.FindAllStringSubmatch(s, -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			s = strings.ReplaceAll(s, m[1], fmt.Sprintf("TEMPORARY%d", len(seen)))
		}
	}
	return s
}

// Package pkgstate has state of the package's own, and tables that look like it.
package pkgstate

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"nsmodel/netns"
)

type conf struct{ ttl, mark int }

type row struct {
	name string
	get  func(*conf) int
}

// What changes, or may.
var (
	count     int                                      // want `package variable count changes`
	strict    = false                                  // want `package variable strict changes`
	cache     = map[string]int{}                       // want `package variable cache (changes|is an empty map)`
	filled    = map[string]int{"a": 1}                 // want `package variable filled changes`
	pruned    = map[string]int{"a": 1}                 // want `package variable pruned changes`
	made      = make(map[string]int)                   // want `package variable made is an empty map`
	waiting   []string                                 // want `package variable waiting (changes|is an empty slice)`
	mu        sync.Mutex                               // want `package variable mu`
	flag      atomic.Bool                              // want `package variable flag`
	once      sync.Once                                // want `package variable once`
	events    = make(chan int, 1)                      // want `package variable events is a channel`
	shared    = &conf{ttl: 64}                         // want `package variable shared leads to`
	hook      func(int)                                // want `package variable hook (changes|is a function that somebody has yet to set)`
	next      = counter()                              // want `package variable next is a function made by a call`
	lazily    = sync.OnceValue(expensive)              // want `package variable lazily is a function made by a call`
	given     = conf{ttl: 64}                          // want `package variable given changes`
	inRow     = [2]conf{{ttl: 1}, {ttl: 2}}            // want `package variable inRow changes`
	pointers  = []*conf{{ttl: 1}}                      // want `package variable pointers leads to`
	byPointer = map[string]*conf{"a": {}}              // want `package variable byPointer leads to`
	locks     [4]sync.Mutex                            // want `package variable locks`
	Limit     = 5                                      // want `package variable Limit can be written by every package`
	later     error                                    // want `package variable later is an error that somebody has yet to set`
	boxed     any                           = &conf{}  // want `package variable boxed leads to`
	grown                                   = []int{1} // want `package variable grown changes`
	last      *netns.Net                               // want `package variable last`
)

// What never does.
var (
	errGone       = errors.New("gone")
	ErrClosed     = errors.New("closed")
	limited       = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	names         = [...]string{"a", "b"}
	numbers       = map[string]int{"a": 1}
	rows          = []row{{"ttl", func(c *conf) int { return c.ttl }}}
	word          = regexp.MustCompile(`\w+`)
	escape        = strings.NewReplacer("a", "b")
	initTable     = map[int]int{1: 1}
	above         = func() (t [4]int) { t[0] = 1; return t }()
	dflt          = conf{ttl: 64}
	double        = func(i int) int { return 2 * i }
	compared      = conf{ttl: 1}
	nested        = map[string][]string{"a": {"b"}}
	_         any = dflt
)

func init() { initTable[2] = 4 }

func counter() func() int {
	n := 0
	return func() int { n++; return n }
}

func expensive() int { return 1 }

func use(s string, c *conf) error {
	count++
	strict = true
	cache[s] = 1
	filled[s] = 2
	delete(pruned, s)
	waiting = append(waiting, s)
	hook = nil
	take(&given)
	inRow[1].ttl = 7
	grown[0]++
	if c == &compared || numbers[s] > 0 || names[0] == s {
		return errGone
	}
	local := rows[0] // a copy
	local.name = s
	dflt := dflt // hides it
	dflt.ttl = 1
	for _, r := range rows {
		r.name = s
	}
	return later
}

func take(*conf) {}

package advise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"nsmodel"
	"nsmodel/bench"
	"nsmodel/netns"
)

// A Calibration is what was measured on one computer, as laws.
type Calibration struct {
	Form     int     `json:"form"` // of this file
	Computer string  `json:"computer"`
	Program  string  `json:"program"` // commit, or digest of the program
	Quick    bool    `json:"quick"`
	Seconds  float64 `json:"seconds"` // that it took
	Foreign  float64 `json:"foreign"` // CPUs that others kept busy meanwhile

	Latency Latency            `json:"latency"`
	Idle    float64            `json:"idle_bytes"` // of a Net with its loopback up, all replicated
	Kinds   map[Kind]*KindLaws `json:"kinds"`
	Homes   map[string]*Homes  `json:"homes"` // by the subsystem's word
}

// form is the present one of the file.
const form = 2

// A Size says how much is measured.
type Size int

// The sizes: half a minute, a few seconds less exact, and nothing worth reading.
const (
	Normal Size = iota
	Quick
	Tiny
)

// rig is what measuring goes by.
type rig struct {
	slice  time.Duration // of one sample
	rounds int
	most   int // entries at most
	ring   int // bytes of memory at most for the latency
	nets   int // of a machine whose homes are measured
	ends   int // Nets ended for one median
	say    func(format string, a ...any)
	cal    *Calibration // as far as it has come
}

func newRig(size Size, say func(string)) *rig {
	r := &rig{slice: 4 * time.Millisecond, rounds: 5, most: 1 << 20, ring: 256 << 20, nets: 300, ends: 24}
	switch size {
	case Quick:
		r.slice, r.rounds, r.most, r.ring, r.nets, r.ends = 2*time.Millisecond, 3, 1<<18, 64<<20, 100, 12
	case Tiny:
		r.slice, r.rounds, r.most, r.ring, r.nets, r.ends = 20*time.Microsecond, 1, 1<<12, 1<<20, 8, 2
	}
	r.say = func(format string, a ...any) {
		if say != nil {
			say(fmt.Sprintf(format, a...))
		}
	}
	return r
}

// Measure calibrates: it measures this computer and fits the laws. say, if not
// nil, is told what is being done.
func Measure(size Size, say func(string)) (*Calibration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	computer, start := bench.ThisComputer(), time.Now()
	r := newRig(size, say)
	c := &Calibration{Form: form, Computer: computer.String(), Quick: size != Normal, Kinds: map[Kind]*KindLaws{}, Homes: map[string]*Homes{}}
	r.cal = c
	r.say("memory")
	c.Latency = measureLatency(r.ring, r.slice/2)
	for _, k := range []Kind{Table, Cell, Listeners} {
		laws, err := r.measureKind(k, &c.Latency)
		if err != nil {
			return nil, err
		}
		c.Kinds[k] = laws
		runtime.GC()
	}
	var err error
	if c.Idle, err = r.measureIdle(); err != nil {
		return nil, err
	}
	for _, s := range subsystems() {
		r.say("homes of %s", s.word)
		h, err := r.measureHomes(s)
		if err != nil {
			return nil, err
		}
		r.say("looks of packets into %s", s.word)
		if err := r.measureOps(s, h); err != nil {
			return nil, err
		}
		c.Homes[s.word] = h
	}
	c.Seconds, c.Foreign = time.Since(start).Seconds(), computer.Foreign()
	return c, nil
}

// measureIdle returns the bytes of a Net with its loopback up.
func (r *rig) measureIdle() (float64, error) {
	m, err := nsmodel.New(nsmodel.Config{Seed: 1, Place: nsmodel.AllPlaces(netns.Replicated)})
	if err != nil {
		return 0, err
	}
	before := heap()
	for i := range r.nets {
		n, err := m.AddNet(netName(i))
		if err != nil {
			return 0, err
		}
		m.Sys.Lock()
		err = m.Core.SetUp(m.Core.Device(n, "lo"))
		m.Sys.Unlock()
		if err != nil {
			return 0, err
		}
	}
	bytes := (heap() - before) / float64(r.nets)
	runtime.KeepAlive(m)
	return bytes, nil
}

// lookLaw evaluates the law of lookups of a kind as far as it is known.
func (r *rig) lookLaw(k Kind, place netns.Placement, list []share, burst, buckets int) (float64, error) {
	laws := r.cal.Kinds[k]
	if laws == nil {
		return 0, fmt.Errorf("advise: no laws of %s", k)
	}
	s := scene{place: place, shares: list, burst: burst, buckets: buckets}
	return s.mean(func(g share) float64 {
		l := laws.of(place)
		return l.Lookup.at(s.lookupAt(&r.cal.Latency, &l.Bytes, g)...)
	}), nil
}

// mean returns the mean over lookups, which meet a Net as often as it has entries.
func (s *scene) mean(of func(share) float64) float64 {
	sum, weight := 0.0, 0.0
	for _, g := range s.shares {
		w := g.nets * g.entries
		if s.all() == 0 {
			w = g.nets
		}
		sum, weight = sum+w*of(g), weight+w
	}
	return sum / weight
}

// Load reads a calibration of this form, fs.ErrNotExist if there is none.
func Load(path string) (*Calibration, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := new(Calibration)
	if err := json.Unmarshal(b, c); err != nil || c.Form != form {
		return nil, fmt.Errorf("advise: %s is no calibration of form %d: %w", path, form, errors.Join(err, fs.ErrNotExist))
	}
	return c, nil
}

// Save writes it, with the directories above, so that a reader never sees half.
func (c *Calibration) Save(path string) error {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".advise")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone by then if all went well
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

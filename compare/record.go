package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"nsmodel/bench"
)

// An Origin is what the samples of one experiment must have in common: figures
// of another size, code or computer are not to be set beside each other.
type Origin struct {
	Scale, Commit string
	CPU           string
	Cores         int
	Memory        string
	Kernel, Go    string
	Governor      string // of the CPUs' clock, "" where there is none to be seen
}

// OriginOf returns where samples taken now on c come from.
func OriginOf(scale Scale, commit string, c *bench.Computer) Origin {
	return Origin{scale.String(), commit, c.CPU, c.Cores, fmt.Sprintf("%.1f GiB", float64(c.Memory)/(1<<30)), c.Kernel, c.Go, c.Governor}
}

// String says it in a line.
func (o Origin) String() string {
	if o == (Origin{}) {
		return "unknown origin"
	}
	return fmt.Sprintf("scale %s, commit %s, %s, %d cores, %s, %s, %s", o.Scale, o.Commit, o.CPU, o.Cores, o.Memory, o.Kernel, o.Go)
}

// unlike says in what o is unlike the present origin.
func (o Origin) unlike(now Origin) string {
	if o == (Origin{}) {
		return "nobody knows what"
	}
	var parts []string
	for _, f := range []struct{ what, then, now string }{
		{"scale", o.Scale, now.Scale}, {"commit", o.Commit, now.Commit}, {"CPU", o.CPU, now.CPU}, {"cores", fmt.Sprint(o.Cores), fmt.Sprint(now.Cores)},
		{"memory", o.Memory, now.Memory}, {"kernel", o.Kernel, now.Kernel}, {"Go", o.Go, now.Go}, {"governor", o.Governor, now.Governor},
	} {
		if f.then != f.now {
			parts = append(parts, fmt.Sprintf("%s %s, which is %s now", f.what, f.then, f.now))
		}
	}
	return strings.Join(parts, ", ")
}

// A Session is one run's work on an experiment. An experiment that was
// interrupted has several.
type Session struct {
	Start                 time.Time
	Took                  time.Duration
	Foreign, Steal        float64 // CPUs that others kept busy, and that the host kept back
	LoadBefore, LoadAfter float64 // the load average over a minute
}

// A Group is what is known of the arms that were measured in turns.
type Group struct {
	Name    string
	Took    time.Duration
	Boxed   bool     // kernel namespaces could be made
	LeftOut []Key    // what could not be measured,
	Notes   []string // and why
}

// A Record is what the store knows of an experiment beside its samples.
type Record struct {
	Origin   Origin
	Sessions []Session
	Groups   []Group
	Notes    []string
	Failed   string // the error that ended it; "" if none did
	// Earlier is how long groups took before they were measured anew, by their
	// names: the best guess at how long they will take.
	Earlier map[string]time.Duration
}

// recordsFile is the file of records in a report's directory.
const recordsFile = "run.json"

// Record returns what is known of an experiment; it is never nil.
func (s *Store) Record(e *Experiment) *Record {
	rec := s.records[e.Name]
	if rec == nil {
		rec = new(Record)
		s.records[e.Name] = rec
	}
	return rec
}

// Known returns the experiments of which there are samples, or that failed.
func (s *Store) Known() (some []*Experiment) {
	for _, e := range All() {
		if s.holds(e) || s.Record(e).Failed != "" {
			some = append(some, e)
		}
	}
	return some
}

// Notes returns what could not be measured for an experiment, and why.
func (s *Store) Notes(e *Experiment) (notes []string) {
	rec := s.Record(e)
	notes = append(notes, rec.Notes...)
	for _, g := range rec.Groups {
		notes = append(notes, g.Notes...)
	}
	return unique(notes)
}

// unique leaves out what was said before.
func unique(list []string) (some []string) {
	for _, text := range list {
		if !slices.Contains(some, text) {
			some = append(some, text)
		}
	}
	return some
}

// Begin says what is measured from now on. Samples that these experiments have
// of another origin are an error that wraps EEXIST, unless they are to be
// measured again: then what the store holds of them goes.
func (s *Store) Begin(o Origin, some []*Experiment, again bool) error {
	s.origin = o
	var mixed []string
	for _, e := range some {
		rec := s.Record(e)
		if again {
			rec.forget()
			s.samples = slices.DeleteFunc(s.samples, func(sample Sample) bool { return sample.Experiment == e.Name })
			continue
		}
		if rec.Origin != o && s.holds(e) {
			mixed = append(mixed, e.Name+" was measured with "+rec.Origin.unlike(o))
		}
	}
	if len(mixed) > 0 {
		return fmt.Errorf("%s (%w)", strings.Join(mixed, "; "), syscall.EEXIST)
	}
	if !again {
		return nil
	}
	return errors.Join(s.rewrite(), s.saveRecords())
}

// holds reports whether there are samples of e.
func (s *Store) holds(e *Experiment) bool {
	return slices.ContainsFunc(s.samples, func(sample Sample) bool { return sample.Experiment == e.Name })
}

// forget drops all but how long it took.
func (rec *Record) forget() {
	earlier := rec.Earlier
	if earlier == nil {
		earlier = map[string]time.Duration{}
	}
	for _, g := range rec.Groups {
		earlier[g.Name] = g.Took
	}
	*rec = Record{Earlier: earlier}
}

// group returns what is known of a group; the zero Group if nothing is.
func (rec *Record) group(name string) Group {
	if i := slices.IndexFunc(rec.Groups, func(g Group) bool { return g.Name == name }); i >= 0 {
		return rec.Groups[i]
	}
	return Group{}
}

// measured keeps a group with its samples, instead of what was known of it.
func (s *Store) measured(e *Experiment, g Group, samples []Sample) error {
	rec := s.Record(e)
	rec.Origin = s.origin
	rec.Groups = append(slices.DeleteFunc(rec.Groups, func(old Group) bool { return old.Name == g.Name }), g)
	return errors.Join(s.add(samples...), s.saveRecords())
}

// ended keeps how an experiment came out.
func (s *Store) ended(e *Experiment, notes []string, err error, session *Session) error {
	rec := s.Record(e)
	rec.Notes, rec.Failed = unique(notes), ""
	if err != nil {
		rec.Failed = err.Error()
	}
	if session != nil {
		rec.Origin = s.origin
		rec.Sessions = append(rec.Sessions, *session)
	}
	return s.saveRecords()
}

func (s *Store) readRecords(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, recordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &s.records); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, recordsFile), err)
	}
	return nil
}

func (s *Store) saveRecords() error {
	if s.dir == "" {
		return nil
	}
	b, err := json.MarshalIndent(s.records, "", "\t")
	if err != nil {
		return err
	}
	return replace(filepath.Join(s.dir, recordsFile), append(b, '\n'))
}

// replace writes a file so that it is there whole, old or new, whenever the
// process ends.
func replace(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

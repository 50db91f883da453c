package compare

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Sample is one value of one round.
type Sample struct {
	Experiment string
	Key
	Round int
	Value float64
}

// header names the columns of the file of samples.
func header() []string {
	return []string{"experiment", "figure", "side", "series", "x", "round", "value"}
}

func (s Sample) row() []string {
	return []string{s.Experiment, s.Figure, s.Side, s.Series, strconv.FormatFloat(s.X, 'g', -1, 64), strconv.Itoa(s.Round), strconv.FormatFloat(s.Value, 'g', -1, 64)}
}

func sampleOf(row []string) (s Sample, err error) {
	if len(row) != len(header()) {
		return s, fmt.Errorf("%d columns", len(row))
	}
	s.Experiment, s.Figure, s.Side, s.Series = row[0], row[1], row[2], row[3]
	var errs [3]error
	s.X, errs[0] = strconv.ParseFloat(row[4], 64)
	s.Round, errs[1] = strconv.Atoi(row[5])
	s.Value, errs[2] = strconv.ParseFloat(row[6], 64)
	return s, errors.Join(errs[:]...)
}

// A Store keeps samples: all of them in memory, and in a file as they come. A
// file beside it keeps where they come from.
type Store struct {
	dir     string // "": none
	lock    *os.File
	file    *os.File
	samples []Sample
	origin  Origin
	records map[string]*Record // by the experiment's name
}

// samplesFile is the file of samples in a report's directory.
const samplesFile = "samples.csv"

// OpenStore opens the samples of a directory, which it makes if need be; with
// resume it reads what is there, else it begins anew. "" keeps them in memory.
// EBUSY if another process has them open.
func OpenStore(dir string, resume bool) (*Store, error) {
	s := &Store{dir: dir, records: map[string]*Record{}}
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	s.lock = lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another run is measuring into it: %w", dir, syscall.EBUSY), lock.Close())
	}
	if resume {
		err = errors.Join(s.read(filepath.Join(dir, samplesFile)), s.readRecords(dir))
	}
	if err == nil {
		err = errors.Join(s.rewrite(), s.saveRecords())
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ReadStore reads the samples of a directory, which stays as it is. ENOENT if
// there are none.
func ReadStore(dir string) (*Store, error) {
	s := &Store{records: map[string]*Record{}}
	path := filepath.Join(dir, samplesFile)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return s, errors.Join(s.read(path), s.readRecords(dir))
}

// rewrite writes the file of samples as they are in memory.
func (s *Store) rewrite() error {
	if s.dir == "" {
		return nil
	}
	path := filepath.Join(s.dir, samplesFile)
	rows := [][]string{header()}
	for _, sample := range s.samples {
		rows = append(rows, sample.row())
	}
	b, err := lines(rows)
	if err == nil {
		err = replace(path, b)
	}
	if err != nil {
		return err
	}
	if s.file != nil {
		_ = s.file.Close() // it has no name any more
	}
	s.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return err
}

// lines returns rows as a file has them.
func lines(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	err := w.WriteAll(rows)
	return b.Bytes(), err
}

// read reads a file of samples. A torn last line is dropped.
func (s *Store) read(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReader(f))
	r.FieldsPerRecord = -1
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if first {
			if !slices.Equal(row, header()) {
				return fmt.Errorf("%s: not a file of samples", path)
			}
			continue
		}
		if sample, err := sampleOf(row); err == nil {
			s.samples = append(s.samples, sample)
		}
	}
}

// add keeps the samples of some keys, instead of those that there were.
func (s *Store) add(list ...Sample) error {
	type name struct {
		experiment string
		Key
	}
	fresh := map[name]bool{}
	var rows [][]string
	for _, sample := range list {
		fresh[name{sample.Experiment, sample.Key}] = true
		rows = append(rows, sample.row())
	}
	before := len(s.samples)
	s.samples = slices.DeleteFunc(s.samples, func(old Sample) bool { return fresh[name{old.Experiment, old.Key}] })
	replaced := len(s.samples) < before
	s.samples = append(s.samples, list...)
	if replaced {
		return s.rewrite()
	}
	if s.file == nil {
		return nil
	}
	b, err := lines(rows)
	if err != nil {
		return err
	}
	_, err = s.file.Write(b) // at once: a group is there whole or not at all
	return err
}

// Close closes the file, and lets others measure into the directory.
func (s *Store) Close() error {
	var errs []error
	for _, f := range []*os.File{s.file, s.lock} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	s.file, s.lock = nil, nil
	return errors.Join(errs...)
}

// Of returns one experiment's data.
func (s *Store) Of(e *Experiment) *Data {
	d := &Data{Experiment: e, values: map[Key][]float64{}}
	for _, sample := range s.samples {
		if sample.Experiment == e.Name {
			d.put(sample.Key, sample.Value)
		}
	}
	return d
}

// Data is what was measured for an experiment.
type Data struct {
	Experiment *Experiment
	keys       []Key // in the order of the first sample
	values     map[Key][]float64
}

func (d *Data) put(k Key, v float64) {
	if d.values[k] == nil {
		d.keys = append(d.keys, k)
	}
	d.values[k] = append(d.values[k], v)
}

// Keys returns what was measured for a figure, in the order of measuring; "" is
// every figure.
func (d *Data) Keys(figure string) (some []Key) {
	for _, k := range d.keys {
		if figure == "" || k.Figure == figure {
			some = append(some, k)
		}
	}
	return some
}

// Values returns the rounds of one value.
func (d *Data) Values(k Key) []float64 { return d.values[k] }

// Stat returns what the rounds of one value came to; of what was not measured
// N is 0.
func (d *Data) Stat(k Key) Stat { return statOf(d.values[k]) }

// Quartiles returns between which values the middle half of the rounds lies; NaN
// of what was not measured.
func (d *Data) Quartiles(k Key) (low, high float64) { return quartiles(d.values[k]) }

// Ratio returns what above is to below.
func (d *Data) Ratio(above, below Key) Ratio { return ratioOf(d.values[above], d.values[below]) }

// Largest returns the greatest x at which a series of a figure was measured, and
// whether it was at all.
func (d *Data) Largest(figure, side, series string) (x float64, ok bool) {
	for _, k := range d.keys {
		if k.Figure == figure && k.Side == side && k.Series == series && (!ok || k.X > x) {
			x, ok = k.X, true
		}
	}
	return x, ok
}

package compare

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// A Store keeps samples: all of them in memory, and each in a file as it comes.
type Store struct {
	file    *os.File
	out     *csv.Writer
	samples []Sample
}

// samplesFile is the file of samples in a report's directory.
const samplesFile = "samples.csv"

// OpenStore opens the samples of a directory, which it makes if need be; with
// resume it reads what is there, else it begins anew. "" keeps them in memory.
func OpenStore(dir string, resume bool) (*Store, error) {
	s := new(Store)
	if dir == "" {
		s.out = csv.NewWriter(io.Discard)
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, samplesFile)
	if resume {
		if err := s.read(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	s.file, s.out = f, csv.NewWriter(f)
	old := s.samples
	s.samples = nil
	if err := s.out.Write(header()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, s.add(old...)
}

// read reads a file of samples. Rows of a group that was cut off in the middle of
// its rounds are for the caller to drop; a torn last line is dropped here.
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
			return err
		}
		if first {
			if !slices.Equal(row, header()) {
				return errors.New("not a file of samples")
			}
			continue
		}
		if sample, err := sampleOf(row); err == nil {
			s.samples = append(s.samples, sample)
		}
	}
}

// add keeps samples.
func (s *Store) add(list ...Sample) error {
	for _, sample := range list {
		s.samples = append(s.samples, sample)
		if err := s.out.Write(sample.row()); err != nil {
			return err
		}
	}
	s.out.Flush()
	return s.out.Error()
}

// Close closes the file.
func (s *Store) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
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

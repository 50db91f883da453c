package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// peerSeries is gVisor's netstack.
const peerSeries = "a stack.Stack each"

// peerBuild is how long building gVisor may take.
const peerBuild = 5 * time.Minute

// memoryPeer weighs gVisor's stacks.
func (r *Run) memoryPeer() error {
	build := sync.OnceValues(r.buildPeer) // by whoever opens first
	program := ""
	defer func() {
		if program != "" {
			os.RemoveAll(filepath.Dir(program))
		}
	}()
	var arms []Arm
	for _, n := range Sweep(false, Pick(r, 1000, 1000, 10_000)) {
		s := &shot{take: func() (map[string]float64, error) { return weighPeer(program, n) },
			here: func() (err error) { program, err = build(); return err }}
		for _, f := range weightFigures(n, 0) {
			arms = append(arms, s.arm(Key{f, Peer, peerSeries, float64(n)}, f, memRounds))
		}
	}
	return r.Group("gVisor: memory of idle stacks", arms...)
}

// buildPeer builds conformance/peer/gvisor and returns the program, in a
// directory of its own.
func (r *Run) buildPeer() (string, error) {
	if r.Scale == Tiny {
		return "", fmt.Errorf("%w: gVisor is not built for a run that measures nothing", ErrNotHere)
	}
	source, err := peerSource()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("%w: gVisor cannot be built: %w", ErrNotHere, err)
	}
	dir, err := os.MkdirTemp("", "nsmodel-gvisor-")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), peerBuild)
	defer cancel()
	program := filepath.Join(dir, "gvisor")
	c := exec.CommandContext(ctx, tool, "build", "-o", program, ".")
	c.Dir, c.Env = source, append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := c.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "", errors.Join(fmt.Errorf("%w: building gVisor in %s: %w: %s", ErrNotHere, source, err, lines[len(lines)-1]), os.RemoveAll(dir))
	}
	return program, nil
}

// peerSource returns where the source of gVisor's arm is: in the clone that the
// working directory is in, or else in the one from which this program was built.
func peerSource() (string, error) {
	var from []string
	if dir, err := os.Getwd(); err == nil {
		from = append(from, dir)
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		from = append(from, filepath.Dir(file))
	}
	return peerSourceFrom(from...)
}

// peerSourceFrom looks for it in the clone that a directory is in.
func peerSourceFrom(dirs ...string) (string, error) {
	below := filepath.Join("conformance", "peer", "gvisor")
	for _, dir := range dirs {
		for at := dir; ; at = filepath.Dir(at) {
			b, err := os.ReadFile(filepath.Join(at, "go.mod"))
			if err == nil && strings.HasPrefix(string(b), "module nsmodel\n") {
				if _, err := os.Stat(filepath.Join(at, below, "go.mod")); err == nil {
					return filepath.Join(at, below), nil
				}
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return "", fmt.Errorf("no clone of nsmodel with %s at %s or above", below, strings.Join(dirs, ", "))
}

// weighPeer has the program make so many stacks, and returns what one takes.
func weighPeer(program string, n int) (map[string]float64, error) {
	out, err := exec.Command(program, fmt.Sprint(n)).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, fmt.Errorf("gVisor with %d stacks: %w", n, err)
	}
	var s struct {
		Stacks      int
		CreatedHeap float64 `json:"created_heap"`
		UpHeap      float64 `json:"up_heap"`
		UpResident  float64 `json:"up_resident"`
	}
	if err := json.Unmarshal(out, &s); err != nil || s.Stacks != n {
		return nil, fmt.Errorf("gVisor with %d stacks said %q: %w", n, out, errors.Join(err, errors.ErrUnsupported))
	}
	each := float64(n)
	return map[string]float64{memCreated: s.CreatedHeap / each, memUp: s.UpHeap / each, memResident: s.UpResident / each}, nil
}

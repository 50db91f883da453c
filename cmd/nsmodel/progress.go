package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"nsmodel/compare"
)

// A progressLine tells on stderr what is measured and how long it will take: a
// line that is written again every second on a terminal, else a line for each
// group.
type progressLine struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	left     *timeLeft
	step     compare.Step
	stop     chan struct{}
	ended    sync.WaitGroup
}

func startProgress(left *timeLeft) *progressLine {
	p := &progressLine{out: os.Stderr, terminal: isTerminal(os.Stderr), left: left, stop: make(chan struct{})}
	if p.terminal {
		p.ended.Go(p.tick)
	}
	return p
}

func (p *progressLine) tick() {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-every.C:
			p.mu.Lock()
			p.print(now)
			p.mu.Unlock()
		}
	}
}

// tell takes a step.
func (p *progressLine) tell(s compare.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	fresh := p.step.Experiment != s.Experiment || p.step.What != s.What
	p.left.tell(s, now)
	p.step = s
	if fresh && !s.Skipped {
		p.print(now)
	}
}

// print writes the line; under the lock.
func (p *progressLine) print(now time.Time) {
	if p.step.Experiment == nil || p.step.Skipped {
		return
	}
	share, rest := p.left.left(now)
	line := fmt.Sprintf("[%3.0f%%, %v left] %d %s: %s", 100*share, short(rest), p.step.Experiment.Number, p.step.Experiment.Name, p.step.What)
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%.100s", line)
		return
	}
	fmt.Fprintln(p.out, line)
}

// short prints a duration to the second, to ten seconds if it is long.
func short(d time.Duration) time.Duration {
	if d > 10*time.Minute {
		return d.Round(10 * time.Second)
	}
	return d.Round(time.Second)
}

// clear makes room for other text.
func (p *progressLine) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.step = compare.Step{}
}

// close ends it.
func (p *progressLine) close() {
	p.clear()
	close(p.stop)
	p.ended.Wait()
}

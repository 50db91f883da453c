package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"nsmodel"
	"nsmodel/core"
	"nsmodel/core/link"
	"nsmodel/lab"
)

// nicFlag is a --nic KERNELIF=NAME@NET.
type nicFlag struct{ kernel, name, net string }

// nicFlags reads --nic flags.
type nicFlags []nicFlag

// String implements [flag.Value].
func (f *nicFlags) String() string { return "" }

// Set implements [flag.Value].
func (f *nicFlags) Set(s string) error {
	kernel, rest, ok := strings.Cut(s, "=")
	name, ns, _ := strings.Cut(rest, "@")
	if !ok || kernel == "" || name == "" {
		return fmt.Errorf("want KERNELIF=NAME@NET, as eth1=eth0@red; without @NET it goes to the initial namespace")
	}
	*f = append(*f, nicFlag{kernel, name, ns})
	return nil
}

// run keeps a lab up on real NICs until it is interrupted.
func run(args []string) int {
	var c nsmodel.Config
	var nics nicFlags
	fs, p := flags("run", "LAB [--nic KERNELIF=NAME@NET]... [--workers N] [--place SUBSYSTEM=P]... [--socket PATH]", &c)
	fs.Var(&nics, "nic", "give Net NET the kernel interface KERNELIF as device NAME: `KERNELIF=NAME@NET`; the lab's commands come after it, so a Net named here is made if it is not there")
	path := fs.String("socket", socketPath(), "where one-shot commands reach this run; only its owner can open it")
	files, err := parseMixed(fs, args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if len(files) > 1 {
		fmt.Fprintln(os.Stderr, "nsmodel run: one lab at a time")
		return 2
	}
	if c.Workers < 0 {
		fmt.Fprintf(os.Stderr, "nsmodel run: --workers %d: a machine needs at least one\n", c.Workers)
		return 2
	}
	c.Place = p.Places
	if err := keepUp(c, files, nics, *path); err != nil {
		return fail(err)
	}
	return 0
}

// parseMixed parses flags that may stand before and behind other words, and
// returns those.
func parseMixed(fs *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return words, nil
		}
		words = append(words, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// keepUp runs the lab and serves one-shot commands until a signal comes.
func keepUp(c nsmodel.Config, files []string, nics []nicFlag, path string) (err error) {
	var text string
	if len(files) == 1 {
		if text, err = readLab(files[0]); err != nil {
			return err
		}
		if _, err := lab.Load(files[0], text); err != nil {
			return err // nothing has happened yet
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	door, err := listen(path)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer door.Close()
	s, err := newShell(c)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.attach(nics); err != nil {
		return err
	}
	if len(files) == 1 {
		if err := s.play(files[0], text); err != nil {
			return err
		}
	}
	s.warn()
	fmt.Printf("nsmodel: up; `nsmodel ip ...` talks to it (%s); counters on SIGUSR1; ends on an interrupt\n", path)
	usr := make(chan os.Signal, 1)
	signal.Notify(usr, syscall.SIGUSR1)
	defer signal.Stop(usr)
	go s.answer(door)
	for {
		select {
		case <-usr:
			s.counters(os.Stdout)
		case <-ctx.Done():
			fmt.Println()
			s.counters(os.Stdout)
			fmt.Println("nsmodel: ending; the kernel's interfaces are left as they were found")
			return nil
		}
	}
}

// attach gives Nets their NICs. The errors are the driver's own: what a user of
// rtnetlink gets to hear is an errno without the interface's name.
func (s *shell) attach(nics []nicFlag) error {
	for _, f := range nics {
		if err := s.attachOne(f); err != nil {
			return fmt.Errorf("--nic %v: %w", f, err)
		}
	}
	return nil
}

func (s *shell) attachOne(f nicFlag) error {
	if f.net != "" {
		if _, err := s.m.AddNet(f.net); err == nil {
			s.made[f.net] = true
		} else if !errors.Is(err, syscall.EEXIST) {
			return err
		}
	}
	n, err := s.m.Net(f.net)
	if err != nil {
		return err
	}
	defer n.Put()
	s.m.Sys.Lock()
	defer s.m.Sys.Unlock()
	_, err = s.m.Core.Kind("nic").New(n, core.LinkSpec{Name: f.name, Attrs: map[string]string{"dev": f.kernel}})
	return err
}

// String returns the flag as it was written.
func (f nicFlag) String() string {
	if f.net == "" {
		return f.kernel + "=" + f.name
	}
	return f.kernel + "=" + f.name + "@" + f.net
}

// play runs the lab; what its commands print is printed, and what fails is told
// with file and line, but does not end it. A Net that --nic made already is no
// failure of the lab's own `ip netns add`.
func (s *shell) play(file, text string) error {
	return s.in.RunLab(file, text, func(r lab.Result) {
		fmt.Print(r.Stdout)
		if w := r.Line.Words; len(w) == 4 && w[1] == "netns" && w[2] == "add" && s.made[w[3]] {
			delete(s.made, w[3])
			return
		}
		if r.Exit != 0 {
			fmt.Fprint(os.Stderr, r.Complaint())
		}
	})
}

// warn says what is wrong with the way the NICs stand in this machine.
func (s *shell) warn() {
	s.m.Sys.Lock()
	defer s.m.Sys.Unlock()
	for n := range s.m.Sys.Nets() {
		for _, d := range s.m.Core.Devices(n) {
			for _, w := range link.Warnings(d) {
				fmt.Fprintln(os.Stderr, "nsmodel: warning:", w)
			}
		}
	}
}

// counters prints what every Net has seen.
func (s *shell) counters(f *os.File) {
	for n := range s.m.Sys.Nets() {
		fmt.Fprintf(f, "%s: %v\n", title(n), s.m.Core.Ledger(n))
		for _, d := range s.m.Core.Devices(n) {
			c := d.Stats()
			if c.RxPackets+c.TxPackets+c.RxDropped+c.TxDropped+c.RxMissed == 0 {
				continue
			}
			fmt.Fprintf(f, "  %-15s rx %d packets %d bytes %d dropped %d missed by the kernel, tx %d packets %d bytes %d dropped %d errors\n",
				d.Name(), c.RxPackets, c.RxBytes, c.RxDropped, c.RxMissed, c.TxPackets, c.TxBytes, c.TxDropped, c.TxErrors)
		}
	}
	if b := s.m.Core.DeadLedger(); b.In+b.Made > 0 {
		fmt.Fprintf(f, "namespaces that are gone: %v\n", b)
	}
}

// socketPath returns where a run is reached unless it was told otherwise.
func socketPath() string {
	if p := os.Getenv("NSMODEL_SOCKET"); p != "" {
		return p
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("nsmodel-%d", os.Getuid()))
	}
	return filepath.Join(dir, "nsmodel.sock")
}

// listen opens the socket: in a directory, and with a mode, that let nobody but
// its owner in. A socket that a run has left behind is taken over.
func listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("a run is up already at %s; --socket PATH gives this one a place of its own", path)
	}
	if err := clearSocket(path); err != nil {
		return nil, err
	}
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}

// clearSocket takes away a socket that nobody answers any more, and nothing
// else: a path that was mistyped may lead to somebody's file.
func clearSocket(path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("--socket %s: there is something that is no socket; it stays", path)
	}
	return os.Remove(path)
}

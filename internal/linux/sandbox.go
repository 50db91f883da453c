//go:build linux

// Package linux is the real kernel beside the model: it puts a process into
// network namespaces of its own, as root or as anybody, and pings and talks
// from them with the kernel's own sockets. Nothing here touches an interface of
// the machine.
//
//tagvet:outdoors it talks to the kernel that the process runs on
package linux

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// marker is set in the environment of a process that runs in a sandbox.
const marker = "NSMODEL_SANDBOX"

// Inside reports whether this process runs in a sandbox.
func Inside() bool { return os.Getenv(marker) != "" }

// Why says why a sandbox cannot be had, or nil if one can: as root, or where
// the machine lets anybody make user namespaces.
func Why() error {
	if Inside() {
		return nil
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), marker+"=probe")
	c.SysProcAttr = attr()
	err := c.Run()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("no network namespace of our own: %w (neither root nor unprivileged user namespaces)", err)
	}
	return err
}

// attr asks for network and mount namespaces, and for a user namespace in which
// the process is root if it is not root already.
func attr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 || !capable() {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// capable reports whether root may really make network namespaces: in a
// container it may not.
func capable() bool {
	var data [2]unix.CapUserData
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if unix.Capget(&hdr, &data[0]) != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// Probe ends the process at once if it was started by Why only to see whether
// it could be. Whoever uses Why or Enter calls it first in main.
func Probe() {
	if os.Getenv(marker) == "probe" {
		if err := private(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// Command returns this program, ready to be started once more in a sandbox. The
// caller gives it its arguments' meaning and its files; inside, it goes on with
// Settle, and it dies with the thread that starts it.
func Command(args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...)
	c.Args[0] = os.Args[0]
	c.Env = append(os.Environ(), marker+"=1")
	c.SysProcAttr = attr()
	return c
}

// Enter runs this program once more with the same arguments in a sandbox, and
// returns its exit status, 128 and the signal's number if one ended it. Inside, the
// caller goes on with Settle.
func Enter() (status int, err error) {
	c := Command(os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	// Whoever interrupts us alone means the one inside, which ends first. A terminal
	// interrupts the whole group: then that one hears of it twice.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(caught)
	if err := c.Start(); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	for {
		select {
		case s := <-caught:
			_ = c.Process.Signal(s) // else it is gone already
		case err := <-done:
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				return 0, err
			}
			if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
				return 128 + int(w.Signal()), nil
			}
			return exit.ExitCode(), nil
		}
	}
}

// private makes the mounts this process's own and puts an empty /run over the
// machine's, so that `ip netns` keeps its names here.
func private() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("tmpfs on /run: %w", err)
	}
	return os.MkdirAll("/run/netns", 0o755)
}

// Settle finishes a sandbox from inside: private mounts, an own /run/netns, and
// a /sys of this network namespace where the kernel allows it.
func Settle() error {
	if !Inside() {
		return errors.New("linux: Settle outside a sandbox")
	}
	if err := private(); err != nil {
		return err
	}
	_ = unix.Mount("sysfs", "/sys", "sysfs", 0, "") // only ip -d and ethtool want it
	return nil
}

// Tool returns the path of one of Linux's own tools, or an error that says that
// it is missing. The sbin directories are looked in even if PATH lacks them.
func Tool(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		p := filepath.Join(dir, name)
		if st, err := os.Stat(p); err == nil && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

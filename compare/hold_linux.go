package compare

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"nsmodel/internal/rtnl"
)

// A process may have few descriptors, and who may not raise that limit still
// wants 100,000 sockets: other processes hold them. holdEnv tells one what.
const holdEnv = "NSMODEL_HOLD"

// perHolder is how many sockets one process holds at most.
const perHolder = 15_000

// Main ends the process at once if it was started to hold sockets, or to make
// namespaces. Whoever runs
// experiments calls it first in main.
func Main() {
	for env, work := range map[string]func(string) error{holdEnv: holdHere, stormEnv: stormHere} {
		if text := os.Getenv(env); text != "" {
			if err := work(text); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
}

// holdHere makes namespaces with UDP sockets on the same ports, says so, and
// holds them until its standard input ends.
func holdHere(text string) error {
	var kind string
	var nets, first, count int
	if _, err := fmt.Sscanf(text, "%s %d %d %d", &kind, &nets, &first, &count); err != nil {
		return fmt.Errorf("%s=%q: %w", holdEnv, text, err)
	}
	runtime.LockOSThread() // and never go back: the thread's namespace is not the process's
	home, err := rtnl.CurrentNamespace()
	if err != nil {
		return err
	}
	for range nets {
		// Each is made from home: a namespace's tables are what its maker's
		// *_child_* sysctls say.
		if err := unix.Setns(home.FD(), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		fill := bindPorts
		switch kind {
		case "tcp":
			fill = connectAll
		case "state":
			fill = haveState
		}
		if err := fill(first, count); err != nil {
			return err
		}
	}
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// bindPorts opens UDP sockets on ports from first.
func bindPorts(first, count int) error {
	for port := first; port < first+count; port++ {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	return nil
}

// connectAll makes TCP connections over the loopback to port.
func connectAll(port, count int) error {
	_, err := connections(port, count)
	return err
}

// timeWait leaves a connection in TIME_WAIT in the thread's namespace.
func timeWait() error {
	fds, err := connections(7, 1)
	for _, fd := range fds { // the client first: it is who waits
		err = errors.Join(err, unix.Close(fd))
	}
	return err
}

// connections makes TCP connections over the loopback, which it sets up, to
// port. It returns each one's two ends, the client's first, and then the
// listener.
func connections(port, count int) (fds []int, err error) {
	c, err := rtnl.Dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetUp("lo"); err != nil {
		return nil, err
	}
	at := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := errors.Join(unix.Bind(l, at), unix.Listen(l, 16)); err != nil {
		return []int{l}, fmt.Errorf("listen: %w", err)
	}
	for range count {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return append(fds, l), os.NewSyscallError("socket", err)
		}
		fds = append(fds, fd)
		if err := unix.Connect(fd, at); err != nil {
			return append(fds, l), os.NewSyscallError("connect", err)
		}
		peer, _, err := unix.Accept(l)
		if err != nil {
			return append(fds, l), os.NewSyscallError("accept", err)
		}
		fds = append(fds, peer)
	}
	return append(fds, l), nil
}

// A holder is another process with sockets.
type holder struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

// hold has other processes make nets namespaces with a UDP socket on each of
// count ports from first.
func (b *kernelBox) hold(nets, first, count int) error {
	for nets > 0 && count > 0 {
		ports := min(count, perHolder)
		some := min(nets, max(1, perHolder/ports))
		if ports < count { // one namespace is too much for a process: its ports are in several
			for from := first; from < first+count; from += perHolder {
				if err := b.startHolder("udp", 1, from, min(perHolder, first+count-from)); err != nil {
					return err
				}
			}
			nets--
			continue
		}
		if err := b.startHolder("udp", some, first, ports); err != nil {
			return err
		}
		nets -= some
	}
	return nil
}

// holdTCP has other processes hold so many entries of established TCP
// connections, two for each connection as both ends are here.
func (b *kernelBox) holdTCP(entries int) error {
	for entries > 1 {
		some := min(entries, perHolder)
		if err := b.startHolder("tcp", 1, 7, some/2); err != nil {
			return err
		}
		entries -= some
	}
	return nil
}

func (b *kernelBox) startHolder(kind string, nets, first, count int) error {
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d", holdEnv, kind, nets, first, count))
	c.Stderr = os.Stderr
	// It goes when its standard input ends, which is when this process does at the latest.
	stdin, err := c.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	b.holders = append(b.holders, holder{c, stdin})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "held\n" {
		return fmt.Errorf("holder of %d x %d sockets said %q: %w", nets, count, line, errors.Join(err, syscall.EIO))
	}
	return nil
}

func (h holder) close() error {
	return errors.Join(h.stdin.Close(), h.cmd.Wait())
}

package linux

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

const role = "NSMODEL_TEST_ROLE"

func TestMain(m *testing.M) {
	Probe()
	what := os.Getenv(role)
	if what == "" {
		os.Exit(m.Run())
	}
	if !Inside() {
		status, err := Enter()
		if err != nil {
			fmt.Println(err)
			status = 1
		}
		os.Exit(status)
	}
	if what == "waits" {
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
		fmt.Println("inside")
		fmt.Println("got", <-caught)
		os.Exit(7)
	}
	fmt.Println("inside")
	select {}
}

// An interrupt of the process outside alone reaches the one inside, and its status
// comes back.
func TestEnterForwards(t *testing.T) {
	if err := Why(); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		role   string
		signal syscall.Signal
		says   string
		status int
	}{
		{"waits", syscall.SIGINT, "got interrupt", 7},
		{"waits", syscall.SIGTERM, "got terminated", 7},
		{"dies", syscall.SIGTERM, "", 128 + int(syscall.SIGTERM)},
	} {
		p := exec.Command("/proc/self/exe")
		p.Env = append(os.Environ(), role+"="+c.role)
		p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		patience := time.AfterFunc(30*time.Second, func() { _ = p.Process.Kill() })
		r := bufio.NewReader(out)
		if line, err := r.ReadString('\n'); line != "inside\n" {
			t.Fatal(line, err)
		}
		if err := p.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		line, _ := r.ReadString('\n') // none if it dies
		_ = p.Wait()
		patience.Stop()
		if status := p.ProcessState.ExitCode(); strings.TrimSpace(line) != c.says || status != c.status {
			t.Errorf("%s, %v: %q, status %d; want %q, %d", c.role, c.signal, line, status, c.says, c.status)
		}
	}
}

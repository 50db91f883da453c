package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nsmodel"
)

// A path that leads to something else than a socket is refused, and what is
// there stays.
func TestSocketPathOfSomethingElse(t *testing.T) {
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "file"), filepath.Join(dir, "empty")
	if err := os.WriteFile(file, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, empty} {
		if l, err := listen(path); err == nil || !strings.Contains(err.Error(), "no socket") {
			t.Errorf("%s: %v", path, err)
			if err == nil {
				l.Close()
			}
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// A socket that a run has left behind is taken over, one that is answered is
// not.
func TestSocketLeftBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path); err == nil || !strings.Contains(err.Error(), "up already") {
		t.Errorf("a second run: %v", err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	old.Close()
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// Errors of --nic name the flag, the interface and what is wrong.
func TestNICFlagErrors(t *testing.T) {
	s, err := newShell(nsmodel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for flag, want := range map[string]string{
		"nosuch0=eth0@red":                `"nosuch0"`,
		"lo=eth0":                         "not an Ethernet interface",
		"nosuch0=eth0@a/b":                `"a/b"`,
		"nosuch0=eth0@a b":                `"nosuch0"`,
		"averylongnameindeed000=eth0@red": `"averylongnameindeed000"`,
	} {
		var f nicFlags
		if err := f.Set(flag); err != nil {
			t.Fatal(err)
		}
		if err := s.attach(f); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--nic "+flag) {
			t.Errorf("%s: %v, want %s in it", flag, err, want)
		}
	}
}

// ask is what a one-shot command does.
func ask(path, line string) (a answer, err error) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return a, err
	}
	defer c.Close()
	if err := json.NewEncoder(c).Encode(question{Words: strings.Fields(line)}); err != nil {
		return a, err
	}
	return a, json.NewDecoder(c).Decode(&a)
}

// TestManyOneShots lets fifty clients command one run at once, some of whom hang
// up, say nothing, or talk nonsense.
func TestManyOneShots(t *testing.T) {
	s, err := newShell(nsmodel.Config{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	door, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	go s.answer(door)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			name := fmt.Sprintf("n%d", i)
			for _, line := range []string{
				"ip netns add " + name, "ip -n " + name + " link set lo up",
				"ip -n " + name + " link add v0 type veth peer name p" + fmt.Sprint(i),
				"ip -n " + name + " addr add 10.0.0.1/24 dev v0",
				"ip netns exec " + name + " ping -c1 127.0.0.1",
				"ip netns exec " + name + " probe udp echo 7",
				"ip netns exec " + name + " probe udp send 127.0.0.1:7 hello wait 5s",
				"ip -n " + name + " addr show", "ip netns list", "sysctl net.ipv4", "ip netns del " + name,
			} {
				a, err := ask(path, line)
				if err != nil || a.Exit != 0 {
					t.Errorf("%s: %v %+v", line, err, a)
				}
			}
		})
	}
	for i := range 10 {
		wg.Go(func() { rude(t, path, i) })
	}
	wg.Wait()
	if a, err := ask(path, "probe ledger"); err != nil || a.Stdout != "balanced\n" {
		t.Errorf("%v %+v", err, a)
	}
	door.Close()
	s.close()
	if c := s.m.Sys.Census(); c.Living != 1 || c.Memory != 1 {
		t.Errorf("census %+v", c)
	}
}

// rude is a client without manners.
func rude(t *testing.T, path string, i int) {
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	switch i % 4 {
	case 0:
		fmt.Fprintf(c, `{"words":["ping","-c3","-i","0.01","127.0.0.1"]}`)
	case 1:
		fmt.Fprintf(c, "\x00\xff{[[[")
	case 2:
		fmt.Fprintf(c, `{"words":[]}{"words":["ip"]}`)
	}
	time.Sleep(time.Millisecond)
}

// A lab may make the Net that --nic has made already, once.
func TestLabMakesTheNICsNet(t *testing.T) {
	s, err := newShell(nsmodel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	_ = s.attach(nicFlags{{"nosuch0", "eth0", "red"}}) // the Net is there all the same
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = w
	err = s.play("x.lab", "ip netns add red\nip netns add red\n")
	os.Stderr = old
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(r)
	if text := string(said); !strings.HasPrefix(text, "x.lab:2:") {
		t.Errorf("the lab's complaints: %q", text)
	}
}

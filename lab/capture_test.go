package lab

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
)

func TestCapture(t *testing.T) {
	var b bytes.Buffer
	c, err := NewCapture(&b, CaptureName("red", "v0"))
	if err != nil {
		t.Fatal(err)
	}
	frame := bytes.Repeat([]byte{7}, 60)
	for _, x := range []struct {
		name string
		at   time.Duration
	}{{"red:v0", 1500 * time.Microsecond}, {"v1", 2 * time.Second}, {"red:v0", 3*time.Second + 1}} {
		if err := c.Write(x.name, x.at, frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(&b, pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"red:v0 1500000", "v1 2000000000", "red:v0 3000000001"} {
		data, info, err := r.ReadPacketData()
		if err != nil || !bytes.Equal(data, frame) {
			t.Fatal(data, err)
		}
		i, _ := r.Interface(info.InterfaceIndex)
		if got := fmt.Sprint(i.Name, " ", info.Timestamp.UnixNano()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if CaptureName("", "eth0") != "eth0" {
		t.Error("the initial Net's devices have no prefix")
	}
}

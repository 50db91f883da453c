package lab

import (
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// A Capture writes frames as pcapng. It is not for several goroutines at once.
type Capture struct {
	w     *pcapgo.NgWriter
	names map[string]int
}

// NewCapture begins a capture on w whose first interface is name; by custom
// NET:DEV, and DEV alone in the initial Net.
func NewCapture(w io.Writer, name string) (*Capture, error) {
	ng, err := pcapgo.NewNgWriterInterface(w, captureInterface(name), pcapgo.NgWriterOptions{
		SectionInfo: pcapgo.NgSectionInfo{Application: "nsmodel"},
	})
	if err != nil {
		return nil, fmt.Errorf("lab: capture: %w", err)
	}
	return &Capture{ng, map[string]int{name: 0}}, nil
}

func captureInterface(name string) pcapgo.NgInterface {
	return pcapgo.NgInterface{Name: name, LinkType: layers.LinkTypeEthernet, TimestampResolution: 9}
}

// Write adds a frame seen on the interface name, at a time since boot.
func (c *Capture) Write(name string, at time.Duration, frame []byte) error {
	i, ok := c.names[name]
	if !ok {
		var err error
		if i, err = c.w.AddInterface(captureInterface(name)); err != nil {
			return fmt.Errorf("lab: capture: %w", err)
		}
		c.names[name] = i
	}
	info := gopacket.CaptureInfo{Timestamp: time.Unix(0, int64(at)), CaptureLength: len(frame), Length: len(frame), InterfaceIndex: i}
	if err := c.w.WritePacket(info, frame); err != nil {
		return fmt.Errorf("lab: capture: %w", err)
	}
	return nil
}

// Flush hands what is buffered to the underlying writer.
func (c *Capture) Flush() error { return c.w.Flush() }

// CaptureName returns the name an interface has in a capture.
func CaptureName(net, dev string) string {
	if net == "" {
		return dev
	}
	return net + ":" + dev
}

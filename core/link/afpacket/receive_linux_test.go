package afpacket_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"nsmodel/core/link/afpacket"
)

// eachRing runs the test for both layouts of the receive ring.
func eachRing(t *testing.T, f func(t *testing.T, w *wire, c afpacket.Config)) {
	for _, r := range rings {
		t.Run(r.name, func(t *testing.T) { f(t, newWire(t), r.c) })
	}
}

func (w *wire) send(s *afpacket.Socket, frames ...afpacket.Out) {
	w.t.Helper()
	if n, err := s.Write(frames); n != len(frames) || err != nil {
		w.t.Fatalf("sent %d of %d frames: %v", n, len(frames), err)
	}
	for i, f := range frames {
		if f.Err != nil {
			w.t.Fatalf("frame %d of %d bytes: %v", i, len(f.Data), f.Err)
		}
	}
}

func TestFramesArriveWhole(t *testing.T) {
	eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
		s, far := w.open(c), w.openFar(afpacket.Config{})
		var out []afpacket.Out
		for i, n := range []int{14, 15, 60, 61, 64, 127, 128, 590, 1024, 1513, 1514} {
			out = append(out, afpacket.Out{Data: w.frame(n, byte(i))})
		}
		bc := w.frame(60, 99)
		copy(bc, bytes.Repeat([]byte{0xff}, 6))
		out = append(out, afpacket.Out{Data: bc})
		w.send(far, out...)
		i := 0
		got := collect(t, s, len(out), experimental, func(f *afpacket.Frame) {
			if !bytes.Equal(f.Data, out[i].Data) || f.Len != len(out[i].Data) || f.Cut() {
				t.Errorf("frame %d: got %d bytes (length %d), sent %d", i, len(f.Data), f.Len, len(out[i].Data))
			}
			want := afpacket.ToHost
			if i == len(out)-1 {
				want = afpacket.ToBroadcast
			}
			if f.Kind != want || f.Tagged || f.Vnet.GSOType != 0 || f.Checksum() == afpacket.ChecksumUnfinished {
				t.Errorf("frame %d: metadata %+v", i, f)
			}
			i++
		})
		if got != len(out) {
			t.Errorf("%d of %d frames arrived", got, len(out))
		}
	})
}

// TestOrderOverManyLaps goes round the ring many times, with frames too large
// for a TPACKET_V2 slot among the others.
func TestOrderOverManyLaps(t *testing.T) {
	eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
		c.Blocks = 2
		if c.Ring == afpacket.RingV3 {
			// The retire timer may close a block after any frame of a burst that
			// a busy machine sends slowly, and nobody reads before it is sent.
			c.Blocks = 24
		}
		s, far := w.open(c), w.openFar(afpacket.Config{})
		big := w.tcpSegments(20000)
		next := uint32(0)
		for range 300 {
			var out []afpacket.Out
			for i := range uint32(20) {
				o := afpacket.Out{Data: w.frame(60+int(i)*50, 0)}
				if i%10 == 7 {
					o = afpacket.Out{Data: bytes.Clone(big.Data), Vnet: big.Vnet}
					binary.BigEndian.PutUint32(o.Data[100:], next+i)
				} else {
					binary.BigEndian.PutUint32(o.Data[14:], next+i)
				}
				out = append(out, o)
			}
			w.send(far, out...)
			at := next
			collect(t, s, len(out), ours, func(f *afpacket.Frame) {
				no := f.Data[14:]
				if !experimental(f) {
					no = f.Data[100:]
				}
				if got := binary.BigEndian.Uint32(no); got != at {
					t.Fatalf("frame %d came where %d was due", got, at)
				}
				at++
			})
			if next += 20; at != next {
				t.Fatalf("%d frames missing", next-at)
			}
		}
	})
}

// ours keeps frames of (*wire).frame and of (*wire).tcpSegments.
func ours(f *afpacket.Frame) bool {
	return experimental(f) || len(f.Data) > 54 && f.Data[12] == 8 && f.Data[13] == 0 && f.Data[23] == 6
}

// tcpSegments is one IPv4 TCP frame of payload bytes, to be cut into segments
// of 1448, as a kernel with offloads sends it.
func (w *wire) tcpSegments(payload int) afpacket.Out {
	b := w.frame(54+payload, 7)
	b[12], b[13] = 8, 0
	ip := b[14:]
	copy(ip, []byte{0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1})
	binary.BigEndian.PutUint16(ip[2:], uint16(40+payload))
	tcp := ip[20:]
	copy(tcp, []byte{0x10, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0})
	return afpacket.Out{Data: b, Vnet: afpacket.VnetHdr{
		Flags: afpacket.NeedsCsum, GSOType: afpacket.GSOTCPv4, HdrLen: 54, GSOSize: 1448, CsumStart: 34, CsumOffset: 16}}
}

func TestGSOFrames(t *testing.T) {
	for _, payload := range []int{1449, 20000, 65481} {
		t.Run(fmt.Sprint(payload), func(t *testing.T) {
			eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
				s, far := w.open(c), w.openFar(afpacket.Config{})
				o := w.tcpSegments(payload)
				w.send(far, o, o, o)
				got := collect(t, s, 3, ours, func(f *afpacket.Frame) {
					if !bytes.Equal(f.Data[34:], o.Data[34:]) || f.Cut() {
						t.Errorf("got %d bytes (length %d), sent %d", len(f.Data), f.Len, len(o.Data))
					}
					v := f.Vnet
					v.HdrLen = o.Vnet.HdrLen // the kernel's hint may be larger
					if v != o.Vnet || f.Checksum() != afpacket.ChecksumUnfinished {
						t.Errorf("header %+v, checksum %d", f.Vnet, f.Checksum())
					}
				})
				if got != 3 {
					t.Errorf("%d of 3 frames arrived", got)
				}
			})
		})
	}
}

// TestGSOBeyondTheInterface sends a frame of 65536 bytes or more, which a veth
// does not take: the kernel must cut it, which it does not do past the qdisc.
func TestGSOBeyondTheInterface(t *testing.T) {
	w := newWire(t)
	s, far := w.open(afpacket.Config{}), w.openFar(afpacket.Config{})
	o := w.tcpSegments(65495)
	w.send(far, o, o)
	payload := 0
	n := collect(t, s, 2*46, ours, func(f *afpacket.Frame) { payload += len(f.Data) - 54 })
	if n != 2*46 || payload != 2*65495 {
		t.Errorf("%d segments with %d bytes", n, payload)
	}
}

func TestKernelLeavesChecksumUnfinished(t *testing.T) {
	eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
		s := w.open(c)
		w.ok(w.far.AddAddr(w.nameF, netip.MustParsePrefix("10.9.0.2/24")))
		w.ok(w.far.AddNeighbour(netip.MustParseAddr("10.9.0.1"), w.macN, w.nameF))
		w.ok(w.ns.Do(func() error {
			u, err := net.Dial("udp", "10.9.0.1:9")
			if err != nil {
				return err
			}
			defer u.Close()
			_, err = u.Write([]byte("unfinished"))
			return err
		}))
		udp := func(f *afpacket.Frame) bool {
			return len(f.Data) == 52 && f.Data[12] == 8 && f.Data[13] == 0 && f.Data[23] == 17
		}
		got := collect(t, s, 1, udp, func(f *afpacket.Frame) {
			v := f.Vnet
			if f.Checksum() != afpacket.ChecksumUnfinished || v.Flags&afpacket.NeedsCsum == 0 || v.CsumStart != 34 || v.CsumOffset != 6 {
				t.Errorf("checksum %d, header %+v", f.Checksum(), v)
			}
		})
		if got != 1 {
			t.Error("the datagram did not arrive")
		}
	})
}

func TestVLANTagPutBack(t *testing.T) {
	for _, tpid := range []uint16{0x8100, 0x88a8} {
		eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
			c.Promisc = true
			s, far := w.open(c), w.openFar(afpacket.Config{})
			plain := w.frame(60, 3)
			tagged := append(bytes.Clone(plain[:12]), byte(tpid>>8), byte(tpid), 0x60, 0x2a) // priority 3, VLAN 42
			tagged = append(tagged, plain[12:]...)
			w.send(far, afpacket.Out{Data: tagged})
			got := collect(t, s, 1, experimental, func(f *afpacket.Frame) {
				if !f.Tagged || f.TCI != 0x602a || f.TPID != tpid {
					t.Errorf("tag %v %#x %#x", f.Tagged, f.TPID, f.TCI)
				}
				f.Vnet = afpacket.VnetHdr{Flags: afpacket.NeedsCsum, CsumStart: 34, CsumOffset: 6}
				b := make([]byte, f.WireLen())
				n, v := f.Copy(b)
				if !bytes.Equal(b[:n], tagged) {
					t.Errorf("copied % x\nwanted % x", b[:n], tagged)
				}
				if v.CsumStart != 38 || v.CsumOffset != 6 {
					t.Errorf("header beside the tag: %+v", v)
				}
			})
			if got != 1 {
				t.Errorf("tpid %#x: the frame did not arrive", tpid)
			}
		})
	}
}

func TestDropsAreCounted(t *testing.T) {
	eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
		w.ok(w.near.SetDown(w.nameN)) // until the socket is there, quiet
		c.BlockSize, c.Blocks = 4096, 2
		s, far := w.open(c), w.openFar(afpacket.Config{})
		w.ok(w.near.SetUp(w.nameN))
		s.TakeError()
		const total = 1000
		for range total / 10 {
			var out []afpacket.Out
			for range 10 {
				out = append(out, afpacket.Out{Data: w.frame(1000, 1)})
			}
			w.send(far, out...)
		}
		var sum afpacket.Stats
		for range 3 { // the second and third reading must not lose the first
			var err error
			sum, err = s.Stats()
			w.ok(err)
		}
		// Others than ours may arrive (neighbour discovery).
		if n := sum.Received + sum.Dropped; n < total || n > total+20 || sum.Dropped < total/2 || sum.Received == 0 {
			t.Errorf("%+v of %d sent", sum, total)
		}
	})
}

func TestReadDoesNotAllocate(t *testing.T) {
	eachRing(t, func(t *testing.T, w *wire, c afpacket.Config) {
		s, far := w.open(c), w.openFar(afpacket.Config{})
		out := make([]afpacket.Out, 32)
		for i := range out {
			out[i].Data = w.frame(200, 1)
		}
		in := make([]afpacket.Frame, afpacket.Batch)
		read := 0
		if n := testing.AllocsPerRun(200, func() {
			far.Write(out)
			for n := 1; n > 0; {
				n = s.Read(in)
				read += n
			}
		}); n != 0 {
			t.Errorf("%v allocations a batch", n)
		}
		if read < 32*100 {
			t.Errorf("only %d frames read", read)
		}
	})
}

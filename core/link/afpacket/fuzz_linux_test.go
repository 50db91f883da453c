package afpacket

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzLinkEvents reads any bytes as rtnetlink's messages about interfaces: there
// is never more than one event for each header that fits, and the first of them
// says what a dumb reading of its fields says. The bytes are not written to.
func FuzzLinkEvents(f *testing.F) {
	ne := binary.NativeEndian
	message := func(typ uint16, family byte, name string) []byte {
		b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg, 64)
		b[unix.SizeofNlMsghdr] = family
		ne.PutUint16(b[4:], typ)
		ne.PutUint32(b[unix.SizeofNlMsghdr+4:], 7)
		ne.PutUint32(b[unix.SizeofNlMsghdr+8:], unix.IFF_UP)
		b = ne.AppendUint16(b, uint16(5+len(name)))
		b = ne.AppendUint16(b, unix.IFLA_IFNAME)
		b = append(append(b, name...), 0)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		ne.PutUint32(b, uint32(len(b)))
		return b
	}
	f.Add(message(unix.RTM_NEWLINK, 0, "eth0"))
	f.Add(append(message(unix.RTM_DELLINK, 0, "eth0"), message(unix.RTM_NEWLINK, unix.AF_BRIDGE, "br0")...))
	f.Add(append(message(unix.RTM_NEWADDR, 0, ""), message(unix.RTM_NEWLINK, 0, "a-name-of-twenty-bytes")...))
	f.Add([]byte{16, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		events := linkEvents(b)
		if !bytes.Equal(b, before) || len(events) > len(b)/(unix.SizeofNlMsghdr+unix.SizeofIfInfomsg) {
			t.Fatalf("%d events in %d bytes", len(events), len(b))
		}
		if len(b) < unix.SizeofNlMsghdr+unix.SizeofIfInfomsg {
			return
		}
		size, typ := ne.Uint32(b), ne.Uint16(b[4:])
		if size < unix.SizeofNlMsghdr+unix.SizeofIfInfomsg || size > uint32(len(b)) || typ != unix.RTM_NEWLINK && typ != unix.RTM_DELLINK || b[16] != unix.AF_UNSPEC {
			return
		}
		flags := ne.Uint32(b[24:])
		e := events[0]
		if e.Index != int(int32(ne.Uint32(b[20:]))) || e.Gone != (typ == unix.RTM_DELLINK) || !e.Gone && (e.Up != (flags&unix.IFF_UP != 0) || e.Carrier != (flags&unix.IFF_RUNNING != 0)) || len(e.Name) > len(b) {
			t.Fatalf("%x is %+v", b[:size], e)
		}
	})
}

// FuzzFrame copies a frame with any metadata, as the kernel's auxiliary data and
// virtio_net_hdr give it: the tag is in its place, the bytes around it are the
// frame's, and the checksum's offset moves with them.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("0123456789abcdef and more"), uint32(statusVLAN|statusTPID), uint16(7), uint16(0x88a8), []byte{1, 0, 0, 0, 0, 0, 14, 0, 6, 0})
	f.Add([]byte("0123456789ab"), uint32(statusVLAN), uint16(0xffff), uint16(0), []byte{0, 5, 66, 0, 100, 0, 0, 0, 0, 0})
	f.Add([]byte("0123"), uint32(statusVLAN), uint16(1), uint16(1), make([]byte, 10))
	f.Fuzz(func(t *testing.T, data []byte, status uint32, tci, tpid uint16, vnet []byte) {
		if len(vnet) < vnetHdrLen {
			return
		}
		frame := Frame{Data: data, Len: len(data), Status: status, Vnet: vnetFrom(vnet)}
		frame.setTag(tci, tpid)
		dst := make([]byte, len(data)+8)
		k, v := frame.Copy(dst)
		if !frame.Tagged || len(data) < 12 {
			if k != len(data) || !bytes.Equal(dst[:k], data) || v != frame.Vnet {
				t.Fatalf("%x copied as %x", data, dst[:k])
			}
			return
		}
		want := append(append(bytes.Clone(data[:12]), byte(frame.TPID>>8), byte(frame.TPID), byte(tci>>8), byte(tci)), data[12:]...)
		if k != frame.WireLen() || !bytes.Equal(dst[:k], want) {
			t.Fatalf("%x tagged %#x %#x copied as %x", data, frame.TPID, tci, dst[:k])
		}
		if moved := v.CsumStart - frame.Vnet.CsumStart; frame.Vnet.Flags&NeedsCsum != 0 && moved != 4 || v.CsumOffset != frame.Vnet.CsumOffset || v.GSOSize != frame.Vnet.GSOSize {
			t.Fatalf("%+v became %+v", frame.Vnet, v)
		}
	})
}

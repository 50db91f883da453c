package udp

import (
	"net/netip"

	"nsmodel/core"
	"nsmodel/core/wire"
)

// A datagram is what a socket has received and nobody has read.
type datagram struct {
	from netip.AddrPort
	dev  int // index of the device it came in by
	off  int // where its bytes start in the ring
	len  int
	cost int
}

// A queue holds a socket's datagrams: their bytes in a ring that grows up to
// the receive buffer, so that an idle socket costs nothing and a busy one
// allocates nothing. Linux: sk_receive_queue with sk_rmem_alloc.
type queue struct {
	ring  []byte // bytes; a datagram lies in one piece
	tail  int    // where the next one goes
	items []datagram
	first int // ring index in items
	n     int
	used  int // charged against the receive buffer
}

// cost is what a datagram of k bytes is charged with.
func cost(k int) int { return core.Truesize(k + wire.IPv4Len + wire.UDPLen) }

// room finds k bytes in one piece, growing the ring if it must.
func (q *queue) room(k int) int {
	if q.n == 0 {
		q.tail = 0
		if k <= len(q.ring) {
			return 0
		}
	} else {
		head := q.items[q.first].off
		switch {
		case q.tail > head || q.tail == head && k == 0:
			if q.tail+k <= len(q.ring) {
				return q.tail
			}
			if k < head {
				return 0
			}
		case q.tail+k < head:
			return q.tail
		}
	}
	return q.grow(k)
}

// grow moves everything to the front of a larger ring.
func (q *queue) grow(k int) int {
	need := k
	for i := range q.n {
		need += q.at(i).len
	}
	ring := make([]byte, max(2*need, 512))
	at := 0
	for i := range q.n {
		d := q.at(i)
		copy(ring[at:], q.ring[d.off:d.off+d.len])
		d.off = at
		at += d.len
	}
	q.ring = ring
	return at
}

func (q *queue) at(i int) *datagram { return &q.items[(q.first+i)%len(q.items)] }

// push files a datagram of bytes b.
func (q *queue) push(d datagram, b []byte) {
	if q.n == len(q.items) {
		items := make([]datagram, max(4, 2*q.n))
		for i := range q.n {
			items[i] = *q.at(i)
		}
		q.items, q.first = items, 0
	}
	d.off, d.len, d.cost = q.room(len(b)), len(b), cost(len(b))
	copy(q.ring[d.off:], b)
	q.tail = d.off + d.len
	q.n++
	*q.at(q.n - 1) = d
	q.used += d.cost
}

// pop takes the oldest; its bytes are good until the next push.
func (q *queue) pop() (d datagram, b []byte) {
	d = *q.at(0)
	q.first = (q.first + 1) % len(q.items)
	q.n--
	q.used -= d.cost
	return d, q.ring[d.off : d.off+d.len]
}

func device(p *core.Packet) int {
	if p.Dev != nil {
		return p.Dev.Index()
	}
	return 0
}

package core

import (
	"sync"
	"sync/atomic"

	"nsmodel/netns"
)

// A depot is where the workers' packet caches meet, so that a flow from one
// worker to another does not drain the one and flood the other.
type depot struct {
	mu    sync.Mutex
	small []*batch
	empty []*batch // frames for the next ones
	large []*Packet
	out   atomic.Int64 // packets out of all pools, counted by batches and caches
}

const (
	cacheBatch = 64 // packets moved between a cache and the depot at once
	depotMax   = 64 // batches the depot keeps; the rest is the collector's
	largeMax   = 64 // large packets kept
)

// A batch of packets goes between a cache and the depot in one piece.
type batch [cacheBatch]*Packet

// get returns a packet with room for size bytes behind the headroom.
func (w *Worker) get(size int) *Packet {
	if Headroom+size > smallBuffer {
		return w.getLarge(size)
	}
	if len(w.cache) == 0 {
		w.refill()
	}
	p := w.cache[len(w.cache)-1]
	w.cache = w.cache[:len(w.cache)-1]
	w.out++
	p.reset()
	return p
}

func (w *Worker) refill() {
	d := &w.Stack.depot
	d.mu.Lock()
	if k := len(d.small); k > 0 {
		b := d.small[k-1]
		d.small = d.small[:k-1]
		w.cache = append(w.cache, b[:]...)
		clear(b[:])
		d.empty = append(d.empty, b)
	}
	d.mu.Unlock()
	if len(w.cache) > 0 {
		return
	}
	// Few at a time, so that an idle machine stays small; and each by itself, for
	// the collector takes an array only when no packet of it is kept.
	for range 16 {
		w.cache = append(w.cache, &Packet{buf: make([]byte, smallBuffer)})
	}
}

func (w *Worker) getLarge(size int) *Packet {
	d := &w.Stack.depot
	w.out++
	if Headroom+size <= largeBuffer {
		d.mu.Lock()
		if k := len(d.large); k > 0 {
			p := d.large[k-1]
			d.large = d.large[:k-1]
			d.mu.Unlock()
			p.reset()
			return p
		}
		d.mu.Unlock()
	}
	p := &Packet{buf: make([]byte, max(largeBuffer, Headroom+size))}
	p.reset()
	return p
}

// free returns p to the pool. A packet freed twice would soon be two packets in
// one buffer, in two namespaces: that is never to be survived.
func (w *Worker) free(p *Packet) {
	if !p.live {
		panic("core: packet freed twice")
	}
	p.live, p.net, p.books, p.Dev, p.Conntrack = false, nil, nil, nil, nil
	w.out--
	d := &w.Stack.depot
	if len(p.buf) > smallBuffer {
		d.mu.Lock()
		if len(d.large) < largeMax && len(p.buf) == largeBuffer {
			d.large = append(d.large, p)
		}
		d.mu.Unlock()
		return
	}
	w.cache = append(w.cache, p)
	if len(w.cache) >= 4*cacheBatch {
		w.spill()
	}
}

// spill hands a batch of the cache to the depot.
func (w *Worker) spill() {
	d := &w.Stack.depot
	at := len(w.cache) - cacheBatch
	d.mu.Lock()
	if len(d.small) < depotMax {
		var b *batch
		if k := len(d.empty); k > 0 {
			b, d.empty = d.empty[k-1], d.empty[:k-1]
		} else {
			b = new(batch)
		}
		copy(b[:], w.cache[at:])
		d.small = append(d.small, b)
	}
	d.mu.Unlock()
	clear(w.cache[at:])
	w.cache = w.cache[:at]
}

// settle adds what this worker took and returned to the machine's count.
func (w *Worker) settle() {
	if w.out != 0 {
		w.Stack.depot.out.Add(w.out)
		w.out = 0
	}
}

// NewPacket makes a packet in n with size bytes of data, not cleared, behind
// [Headroom] bytes of headroom. It is the first of the two doors: what is born
// here carries n's tag until it leaves through a device. Linux: alloc_skb at a
// socket.
func (w *Worker) NewPacket(n *netns.Net, size int) *Packet {
	p := w.get(size)
	p.end += size
	p.net, p.books = n, w.Stack.ledger.Of(n)
	p.Type = Outgoing
	p.books.made.Add(1)
	return p
}

// NewFrame makes a packet that has not arrived anywhere yet, with size bytes of
// data, not cleared: a driver fills it and gives it to [Device.Receive].
func (w *Worker) NewFrame(size int) *Packet {
	p := w.get(size)
	p.end += size
	return p
}

// Clone makes a second packet of p's bytes and fields in the same Net, counted
// as made. It copies the data: both may be written. Linux: skb_copy.
func (w *Worker) Clone(p *Packet) *Packet {
	size := p.end - p.off
	c := w.get(size + max(0, p.off-Headroom))
	buf := c.buf
	*c = *p
	c.buf, c.next = buf, nil
	copy(c.buf, p.buf[:p.end]) // with the headers that were pulled
	if c.books != nil {
		c.books.made.Add(1)
	}
	return c
}

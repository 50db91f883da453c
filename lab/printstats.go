package lab

import (
	"fmt"

	"nsmodel/core/netlink"
)

// A counter is one column of a statistics line.
type counter struct {
	head, key string
	v         uint64
}

// printStats writes what -s adds, and -s -s.
func (t *tool) printStats(p *printer, l *netlink.Link) {
	if l.Has&netlink.LinkStats == 0 {
		return
	}
	s := &l.Stats
	more := t.c.Opts.Stats > 1
	rx := []counter{{"bytes", "bytes", s.RxBytes}, {"packets", "packets", s.RxPackets}, {"errors", "errors", s.RxErrors},
		{"dropped", "dropped", s.RxDropped}, {"missed", "over_errors", s.RxMissed}, {"mcast", "multicast", s.Multicast}}
	rxErr := []counter{{"length", "length_errors", s.RxLength}, {"crc", "crc_errors", s.RxCRC}, {"frame", "frame_errors", s.RxFrame},
		{"fifo", "fifo_errors", s.RxFIFO}, {"overrun", "missed_errors", s.RxOver}}
	tx := []counter{{"bytes", "bytes", s.TxBytes}, {"packets", "packets", s.TxPackets}, {"errors", "errors", s.TxErrors},
		{"dropped", "dropped", s.TxDropped}, {"carrier", "carrier_errors", s.TxCarrier}, {"collsns", "collisions", s.Collisions}}
	txErr := []counter{{"aborted", "aborted_errors", s.TxAborted}, {"fifo", "fifo_errors", s.TxFIFO}, {"window", "window_errors", s.TxWindow},
		{"heartbt", "heartbeat_errors", s.TxHeartbeat}, {"transns", "carrier_changes", uint64(l.CarrierUps + l.CarrierDowns)}}
	if p.json {
		p.openNamed("stats64")
		jsonStats(p, "rx", rx, rxErr, more)
		jsonStats(p, "tx", tx, txErr, more)
		p.closeObject()
		return
	}
	w := []int{10, 7, 6, 7, 7, 7, 10}
	widen(w, 0, rx)
	widen(w, 0, tx)
	if more {
		widen(w, 1, rxErr)
		widen(w, 1, txErr)
	}
	textStats(p, "RX", w, rx)
	if more {
		textErrors(p, "RX", w, rxErr)
	}
	textStats(p, "TX", w, tx)
	if more {
		textErrors(p, "TX", w, txErr)
	}
}

func jsonStats(p *printer, key string, c, errs []counter, more bool) {
	p.openNamed(key)
	for _, x := range c {
		p.num(x.key, "", int64(x.v))
	}
	if more {
		for _, x := range errs {
			p.num(x.key, "", int64(x.v))
		}
	}
	p.closeObject()
}

// widen makes columns from first on wide enough for cs.
func widen(w []int, first int, cs []counter) {
	for i, c := range cs {
		w[first+i] = max(w[first+i], len(fmt.Sprint(c.v)))
	}
}

func textStats(p *printer, dir string, w []int, cs []counter) {
	p.nl()
	p.text("    %s: %*s", dir, w[0]-4, cs[0].head)
	for i, c := range cs[1:] {
		p.text(" %*s", w[i+1], c.head)
	}
	p.text(" %*s", w[6], "") // the head of a column that only PPP's compressed packets fill
	p.nl()
	p.text("    ")
	for i, c := range cs {
		p.text("%*d ", w[i], c.v)
	}
}

func textErrors(p *printer, dir string, w []int, cs []counter) {
	p.nl()
	p.text("    %s errors:%*s", dir, w[0]-10, "")
	for i, c := range cs {
		p.text(" %*s", w[i+1], c.head)
	}
	p.nl()
	p.text("    %*s", w[0], "")
	for i, c := range cs {
		p.text(" %*d", w[i+1], c.v)
	}
	p.text(" ")
}

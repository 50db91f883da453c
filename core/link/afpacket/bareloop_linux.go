package afpacket

import "golang.org/x/sys/unix"

// SwapLoop is the yardstick for the driver: the leanest loop over the same
// rings, batches and waits, which sends what arrives on a out of b and the
// reverse, without looking at it. It returns when stop, asked at least every
// 10 ms, says so, or with the first error that is not backpressure. Frames
// counts those sent; what the far queue does not take after one wait is lost.
func SwapLoop(a, b *Socket, stop func() bool) (frames uint64, err error) {
	w, err := NewWaiter(a, b)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	in, out := make([]Frame, Batch), make([]Out, Batch)
	for rounds := 0; ; rounds++ {
		n, err := swap(a, b, in, out)
		frames += uint64(n)
		if err != nil {
			return frames, err
		}
		m, err := swap(b, a, in, out)
		frames += uint64(m)
		if err != nil {
			return frames, err
		}
		if n+m > 0 && rounds%256 != 0 {
			continue
		}
		if stop() {
			return frames, nil
		}
		if n+m == 0 {
			if _, err := w.Wait(10); err != nil {
				return frames, err
			}
		}
	}
}

// swap moves one batch and returns the number of frames sent.
func swap(from, to *Socket, in []Frame, out []Out) (int, error) {
	n := from.Read(in)
	for i := range in[:n] {
		f := &in[i]
		out[i].Data, out[i].Vnet = f.Data, f.Vnet
		if f.Tagged {
			out[i].Data = make([]byte, f.WireLen())
			_, out[i].Vnet = f.Copy(out[i].Data)
		}
	}
	done, failed := 0, 0
	for try := 0; ; try++ {
		k, err := to.Write(out[done:n])
		for _, o := range out[done : done+k] {
			if o.Err != nil {
				failed++
			}
		}
		done += k
		switch {
		case err == nil, try > 0 && (err == unix.EAGAIN || err == unix.ENOBUFS):
			return done - failed, nil
		case err != unix.EAGAIN && err != unix.ENOBUFS:
			return done - failed, err
		}
		unix.Poll([]unix.PollFd{{Fd: int32(to.fd), Events: unix.POLLOUT}}, 1)
	}
}

package afpacket

import "golang.org/x/sys/unix"

// SwapLoop is the yardstick for the driver: the leanest loop over the same
// rings and batches, which sends what arrives on a out of b and the reverse,
// without looking at it. It returns when stop, asked at least every 10 ms,
// says so, or with the first error that is not backpressure. Frames counts
// those sent; what the far queue does not take after one wait is dropped.
func SwapLoop(a, b *Socket, stop func() bool) (frames uint64, err error) {
	in, out := make([]Frame, Batch), make([]Out, Batch)
	poll := []unix.PollFd{{Fd: int32(a.fd), Events: unix.POLLIN}, {Fd: int32(b.fd), Events: unix.POLLIN}}
	for rounds := 0; ; rounds++ {
		n, err := swap(a, b, in, out)
		if err != nil {
			return frames, err
		}
		m, err := swap(b, a, in, out)
		if err != nil {
			return frames + uint64(n), err
		}
		frames += uint64(n + m)
		if n+m > 0 && rounds%256 != 0 {
			continue
		}
		if stop() {
			return frames, nil
		}
		if n+m == 0 {
			if _, err := unix.Poll(poll, 10); err != nil && err != unix.EINTR {
				return frames, err
			}
		}
	}
}

// swap moves one batch and returns the number of frames sent.
func swap(from, to *Socket, in []Frame, out []Out) (int, error) {
	n := from.Read(in)
	if n == 0 {
		return 0, nil
	}
	for i := range in[:n] {
		f := &in[i]
		if f.Tagged {
			b := make([]byte, f.WireLen())
			_, out[i].Vnet = f.Copy(b)
			out[i].Data = b
			continue
		}
		out[i].Data, out[i].Vnet = f.Data, f.Vnet
	}
	sent := 0
	for try := 0; ; try++ {
		k, err := to.Write(out[sent:n])
		sent += k
		switch err {
		case nil:
			return sent, nil
		case unix.EAGAIN, unix.ENOBUFS:
			if try > 0 {
				return sent, nil
			}
			unix.Poll([]unix.PollFd{{Fd: int32(to.fd), Events: unix.POLLOUT}}, 1)
		default:
			return sent, err
		}
	}
}

// Package afpacket is the raw-socket layer under the NIC driver: it moves whole
// Ethernet frames between a Linux interface and memory, in batches, and knows
// nothing of devices, packets or namespaces of the model.
//
//	s, err := afpacket.Open(afpacket.Config{Interface: "eth1", Promisc: true})
//	for {
//		n := s.Read(frames)           // straight from the mapped ring; copy what you keep
//		...
//		done, err := s.Write(out)     // frames[:done] are sent or have their errno
//		...
//		_, err = waiter.Wait(millis)  // readable, writable, woken, or the interface went down
//	}
//
// # Receive: which ring
//
// Both ring layouts of the kernel are here, since neither has everything.
// TPACKET_V3 packs frames into blocks and hands a block over when the next
// frame does not fit or when its timer fires; the timer's unit is the
// millisecond and the block is not the reader's before, so a frame that comes
// alone always waits. TPACKET_V2 gives each frame a slot and wakes the reader
// at once, at the price of a wake-up a frame and thinner use of the memory.
// Measured on veth, Linux 6.18, two shared CPUs, each line in one run, 60 byte
// frames, V2 : V3 : recvmmsg
//
//	frame there and back, median     16 us : 1000 us : 19 us
//	received frames/s                 0.75 : 1 : 0.5    (V2 without gathering 0.5)
//	received frames/s at 1514 bytes   0.9 to 1.1 : 1
//	SwapLoop frames/s                 0.9 : 1           (0.55 when both CPUs were taken)
//	CPU time a swapped frame          1.2 to 1.7 : 1
//	64 KB GSO frames, Gbit/s          15 to 25 : 18 to 19
//
// A kernel before 6.18 rounds V3's timer up to its tick, 4 ms at HZ=250. A
// TCP connection or a ping through V3 pays this at every turn, so RingDefault
// is V2; RingV3 is for forwarding in bulk. A V2 reader that was busy lately
// gathers: it waits awake, at most 20 us, for part of a batch.
//
// With V2 a frame too large for a slot (GSO) is taken whole from the socket's
// own queue (PACKET_COPY_THRESH), one system call a frame; with V3 it lies in a
// block. In both the virtio_net_hdr (PACKET_VNET_HDR) tells segment size and
// unfinished checksum. The kernel drops, and counts, a frame whose segmentation
// that header cannot express (SCTP, tunnels).
//
// # Send
//
// sendmmsg, 64 frames a call, straight from the caller's memory. A transmit ring
// (PACKET_TX_RING, V2 or V3) was measured against it on veth: 0.8 to 1.0 times
// the frames/s at 60 bytes, 1.0 to 1.1 at 1514; it needs one copy more, cannot
// say which frame failed with which errno, and blocks behind a slot whose
// frame the far side has not consumed. Frames go past the queueing discipline
// (PACKET_QDISC_BYPASS, 1.1 times the frames/s); a GSO frame that the interface
// cannot segment goes through it, because the bypass refuses it.
//
// # The interface
//
// It is left as found: promiscuous and fanout memberships go with the socket.
// Down: Wait and Write say ENETDOWN once, and the socket goes on when it is up
// again. Gone (deleted, or moved to another kernel namespace): State says so for
// ever; a Watcher tells when one of that name is back, to be opened anew.
//
// Sources: man 7 packet, man 7 netdevice, man 7 rtnetlink,
// Documentation/networking/packet_mmap.rst, include/uapi/linux/if_packet.h,
// include/uapi/linux/virtio_net.h.
//
//tagvet:outdoors it is raw sockets of the kernel, and polls them by its clock
package afpacket

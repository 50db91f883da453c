// Package lab reads labs: text files of the commands people already know, in
// iproute2's own syntax, one a line. It turns each into a [Command], runs that
// against a [Machine], and prints what the tool prints, to the byte.
//
//	ip netns add red
//	ip link add v0 type veth peer name v1 netns red   # a comment
//	ip -n red addr add 10.0.0.1/24 dev v1
//	ip netns exec red ping -c1 10.0.0.1
//
// Words are cut as a shell cuts them, but a lab is no shell script: see [Lex].
// The commands are ip, bridge, sysctl, ping and probe; any other word is an
// error that names file and line, and so is a word that a tool's grammar has
// no place for. A whole line is parsed before any of it takes effect.
//
// # Probes
//
// The probe verbs are this project's own. They say no more than what plain
// sockets do, so that a Linux judge can do the same on a real kernel. Run one
// in a Net with "ip netns exec NET probe ...".
//
//	probe udp echo [ADDR:]PORT
//	    Bind a UDP socket and send each datagram back to where it came from,
//	    until "probe udp close" or the end of the Net or the lab.
//	probe udp listen [ADDR:]PORT
//	    Bind a UDP socket and keep what arrives (up to 64 datagrams).
//	probe udp show [ADDR:]PORT
//	    Print and forget what the listening socket has kept, a line each:
//	    from 10.0.0.1:4000 "hello"
//	probe udp close [ADDR:]PORT
//	    Close an echo or listening socket.
//	    Behind echo and listen may stand: reuse (SO_REUSEADDR), dev DEV
//	    (SO_BINDTODEVICE), joined (only groups that it has joined:
//	    IP_MULTICAST_ALL off), and as NAME, by which the other verbs find it
//	    where several sockets have one address and port.
//	probe udp join [ADDR:]PORT GROUP [source ADDR] [dev DEV | via ADDR]
//	probe udp leave [ADDR:]PORT GROUP [source ADDR] [dev DEV | via ADDR]
//	    Let the listening or echo socket join or leave a group, for all sources
//	    or for one, at DEV, at the device that has the address ADDR, or where a
//	    route to GROUP leads.
//	probe udp block [ADDR:]PORT GROUP source ADDR [dev DEV | via ADDR]
//	probe udp unblock [ADDR:]PORT GROUP source ADDR [dev DEV | via ADDR]
//	    Keep a source out of a group that was joined, or let it in again.
//	probe udp send ADDR:PORT TEXT [from [ADDR:]PORT] [wait DURATION]
//	        [dev DEV] [ttl TTL] [noloop] [nobroadcast]
//	        [recverr] [discover do|dont|want|probe] [size N]
//	    Send TEXT (or the here-document, if TEXT is -) as one datagram from a
//	    new socket: connected to ADDR:PORT, bound first if there is a from.
//	    With a wait, wait for one datagram or an ICMP error and print
//	    reply from 10.0.0.2:7 "hello"
//	    To a group: by DEV (IP_MULTICAST_IF), and not to this Net's own members
//	    if noloop (IP_MULTICAST_LOOP). nobroadcast takes SO_BROADCAST away,
//	    which the socket else has. recverr turns the error queue on
//	    (IP_RECVERR), leaves the socket without a peer, and at the end prints
//	    what the queue holds, at most 16 octets of each datagram that is quoted:
//	    error "Connection refused" icmp type 3 code 3 info 0 by 10.0.0.2 to 10.0.0.2:9 "hello"
//	    discover is IP_MTU_DISCOVER; size adds zeros to TEXT up to N octets.
//	probe raw send DEV HEX
//	    Send the Ethernet frame of these bytes out of DEV. Colons, dots and
//	    dashes in HEX, and words, are passed over.
//	probe capture start DEV FILE
//	    Write what DEV sends and receives to FILE (pcapng) from now on.
//	probe capture stop DEV
//	    Stop that. The file is complete when the command returns.
//	probe sleep DURATION
//	    Let time pass: the model's clock moves on, Linux waits.
//	probe ledger
//	    Print "balanced" if every packet of the whole machine is accounted
//	    for. Linux keeps no such book; there the answer is always so.
//
// For example
//
//	ip netns exec red  probe udp echo 10.0.0.1:7
//	ip netns exec blue probe udp send 10.0.0.1:7 hello wait 1s
//	ip netns exec blue probe udp send 10.0.0.1:9 hello wait 1s
//
// prints
//
//	reply from 10.0.0.1:7 "hello"
//	probe: Connection refused
//
// A probe that fails prints "probe: " and the errno's text, or "probe: no
// reply", on its standard error and exits with status 1. ADDR may be left out
// for the wildcard (IPv4); an IPv6 address stands in brackets. DURATION is
// 300ms, 2s or 1m; a bare number is seconds.
package lab

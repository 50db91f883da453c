package lab

import (
	"bytes"
	"errors"
	"fmt"

	"nsmodel/core/netlink"
)

// A tool is one run of one command: what the process would be.
type tool struct {
	m        Machine
	c        *Command
	out, err *bytes.Buffer
	links    map[int]*netlink.Link // by index, once they have been asked for
}

func (t *tool) outf(format string, a ...any) { fmt.Fprintf(t.out, format, a...) }

// failf writes to standard error and returns the exit status.
func (t *tool) failf(exit int, format string, a ...any) int {
	fmt.Fprintf(t.err, format, a...)
	return exit
}

func (t *tool) fail(u *UsageError) int { return t.failf(u.Exit, "%s", u.Text) }

func (t *tool) netlink(req *netlink.Request) ([]netlink.Message, error) {
	return t.m.Netlink(t.c.Net, req)
}

// kernel tells of a request that the kernel has refused.
func (t *tool) kernel(err error) int {
	errno, text := netlink.Split(err)
	if text != "" {
		t.failf(0, "Error: %s.\n", text)
		return 2
	}
	return t.failf(2, "RTNETLINK answers: %s\n", errText(errno))
}

// dumped tells of a dump that the kernel has refused.
func (t *tool) dumped(err error, what string) int {
	status := t.kernel(err)
	t.failf(0, "%s terminated\n", what)
	return status
}

// dump asks for all messages of m's kind.
func (t *tool) dump(m netlink.Message) ([]netlink.Message, error) {
	return t.netlink(&netlink.Request{Op: netlink.Get, Flags: netlink.Dump, Msg: m})
}

// link asks for one device by its name.
func (t *tool) link(name string) (*netlink.Link, bool) {
	if !validName(name) {
		return nil, false
	}
	msgs, err := t.netlink(&netlink.Request{Op: netlink.Get, Msg: &netlink.Link{Name: name}})
	if err != nil || len(msgs) == 0 {
		return nil, false
	}
	l, ok := msgs[0].(*netlink.Link)
	return l, ok
}

func (t *tool) index(name string) (int, bool) {
	l, ok := t.link(name)
	if !ok {
		return 0, false
	}
	return l.Index, true
}

// name returns a device's name, or if7 if there is none.
func (t *tool) name(index int) string {
	if l := t.known(index); l != nil {
		return l.Name
	}
	return fmt.Sprintf("if%d", index)
}

// known asks for the device with an index, once. iproute2: ll_link_get.
func (t *tool) known(index int) *netlink.Link {
	if l, ok := t.links[index]; ok {
		return l
	}
	if t.links == nil {
		t.links = make(map[int]*netlink.Link)
	}
	var found *netlink.Link
	if msgs, err := t.netlink(&netlink.Request{Op: netlink.Get, Msg: &netlink.Link{Index: index}}); err == nil && len(msgs) > 0 {
		found, _ = msgs[0].(*netlink.Link)
	}
	t.links[index] = found
	return found
}

// nsids returns the numbers by which this Net knows the named ones.
func (t *tool) nsids() map[string]int {
	ids := make(map[string]int)
	msgs, _ := t.dump(&netlink.NSID{})
	for _, m := range msgs {
		if n, ok := m.(*netlink.NSID); ok && n.ID != netlink.NSIDNone {
			ids[n.Name] = n.ID
		}
	}
	return ids
}

// missingNet returns the Net that a link, or its peer, is to go to, if there is
// none such.
func (t *tool) missingNet(l *netlink.Link) string {
	for ; l != nil; l = l.Peer {
		if l.Has&netlink.LinkNewNet == 0 {
			continue
		}
		_, err := t.m.Netns(NetnsCheck, l.NewNet)
		switch {
		case err == nil:
		case l.NewNet == "1": // the process 1, which lives in the initial Net
			l.NewNet = ""
		default:
			return l.NewNet
		}
	}
	return ""
}

func (t *tool) printer() *printer {
	o := t.c.Opts
	return &printer{json: o.JSON, pretty: o.JSON && o.Pretty, oneline: o.Oneline}
}

// flush ends a printer's output and returns success.
func (t *tool) flush(p *printer) int {
	t.out.WriteString(p.finish())
	return 0
}

// A Batch is "ip -batch -": a here-document of ip's commands.
type Batch struct{ Input string }

func (b *Batch) run(t *tool) int {
	lines, err := Lex("-", b.Input)
	if err != nil {
		return t.failf(1, "%v\n", err)
	}
	cmds := make([]*Command, len(lines))
	for i, l := range lines {
		cmds[i], err = parseBatchLine(l, t.c)
		var u *UsageError
		if errors.As(err, &u) { // unlike ip we have not carried out what stands before it
			return t.fail(u)
		}
	}
	status := 0
	for i, c := range cmds {
		if one := (&tool{m: t.m, c: c, out: t.out, err: t.err}).run(); one != 0 {
			status = t.failf(1, "Command failed -:%d\n", lines[i].Num)
			if !t.c.Opts.Force {
				break
			}
		}
	}
	return status
}

func parseBatchLine(l Line, outer *Command) (c *Command, err error) {
	defer recovered(&err)
	a := &args{w: l.Words}
	c = &Command{Net: outer.Net, Opts: outer.Opts}
	c.Opts.Batch = false
	c.Do = parseObject(a, c)
	return c, nil
}

func (e *ExecAll) run(t *tool) int {
	names, err := t.m.Netns(NetnsList, "")
	if err != nil {
		return t.kernel(err)
	}
	for _, name := range names {
		t.outf("\nnetns: %s\n", name)
		c := *e.Do
		c.Net = name
		(&tool{m: t.m, c: &c, out: t.out, err: t.err}).run()
	}
	return 0
}

// run enters the Net and does the command.
func (t *tool) run() int {
	if t.c.Net != "" {
		if _, err := t.m.Netns(NetnsCheck, t.c.Net); err != nil {
			return t.failf(255, "Cannot open network namespace \"%s\": %s\n", t.c.Net, errText(err))
		}
	}
	status := t.c.Do.run(t)
	if status != 0 && t.c.Tool == "bridge" {
		return 255 // bridge ends with what its functions return, and that is -1
	}
	return status
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"nsmodel"
	"nsmodel/conformance/soak"
	"nsmodel/internal/linux"
)

// soakRun lets everything happen at once to a machine for as long as asked, and
// says what did not hold. Its exit status is 1 if anything.
func soakRun(args []string) int {
	var c nsmodel.Config
	fs, p := flags("soak", "[--for TIME] [flags]", &c)
	long := fs.Duration("for", 10*time.Minute, "how `TIME` long; Ctrl-C ends it earlier, with the checks")
	memory := fs.Bool("memory", false, "use NICs in memory only, even where real ones can be had")
	usage := fs.Usage
	fs.Usage = func() {
		usage()
		fmt.Fprint(fs.Output(), "\nFrames of chance at every device, namespaces that come and go, NICs that are pulled, while\n"+
			"bystanders talk and may notice nothing; in the end nothing may be left and memory be flat.\n"+
			"The seed chooses what is done, not when: real time cannot be replayed.\n")
	}
	c.Workers = 3
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	c.Place = p.Places
	if !linux.Inside() && !*memory {
		why := linux.Why()
		if why == nil {
			status, err := linux.Enter()
			if err != nil {
				return fail(err)
			}
			return status
		}
		fmt.Printf("soak: real NICs cannot be had here: %v; in memory only\n", why)
	} else if linux.Inside() {
		if err := linux.Settle(); err != nil {
			return fail(err)
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	fmt.Printf("soak: seed %d, %d workers, placements", c.Seed, c.Workers)
	for _, row := range c.Place.Rows() {
		fmt.Printf(" %s=%v", row.Word, row.Place)
	}
	fmt.Println()
	r, err := soak.Run(ctx, soak.Config{Machine: c, For: *long, Kernel: linux.Inside() && !*memory, Out: os.Stdout})
	if err != nil {
		return fail(err)
	}
	fmt.Print(r.Table())
	fmt.Println(r)
	if !r.Ok() {
		return 1
	}
	return 0
}

// Nsmodel runs an executable reference model of Linux network namespaces.
package main

import (
	"fmt"
	"os"
	"strings"

	"nsmodel/compare"
	"nsmodel/conformance"
)

// A command is a word of the command line.
type command struct {
	name, args, short string
	run               func(args []string) int
}

// commands lists what nsmodel can do, in the order of its help.
func commands() []command {
	return []command{
		{"demo", "[--place S=P]... [--memory]", "two namespaces with one address on two real NICs, in both placements", demo},
		{"run", "LAB [flags]", "keep a lab up on real NICs until interrupted", run},
		{"lab", "FILE...", "run labs in virtual time and print their transcripts", labRun},
		{"judge", "[flags] [LAB...]", "have the labs judged: golden, matrix, solo, Linux", judge},
		{"mutants", "[flags]", "plant defects into the source and see which law finds each", mutants},
		{"soak", "[--for TIME] [flags]", "hostile frames, churn and NIC flaps in real time, bystanders unharmed", soakRun},
		{"ip", "...", "one command to a running nsmodel, in iproute2's syntax", oneShot("ip")},
		{"bridge", "...", "the same, as bridge", oneShot("bridge")},
		{"sysctl", "...", "the same, as sysctl", oneShot("sysctl")},
		{"ping", "...", "the same, as ping", oneShot("ping")},
		{"probe", "...", "the same: UDP, raw frames, captures, the ledger", oneShot("probe")},
		{"compare", "[--out DIR] [NAME...]", "tagging against duplication, with the kernel beside", compareRun},
		{"advise", "[--nets N] [flags]", "which placements suit a workload on this computer, and their costs", adviseRun},
		{"vet", "[flags] [PACKAGE...]", "find in sources what breaks isolation: the linter for tags", vet},
		{"bench", "[--quick] [--json] [NAME...]", "measure this computer", benchmark},
		{"explore", "[flags] [SCENE...]", "try the interleavings of lifecycle scenes on the code", exploreRun},
		{"gates", "", "print the table of gates", gates},
		{"places", "[--place S=P]...", "print where each subsystem's state stands", places},
	}
}

func main() {
	conformance.Main() // this program is its own sandboxes
	compare.Main()     // and holds its own sockets
	if len(os.Args) < 2 {
		usage(os.Stderr)
		os.Exit(2)
	}
	name := os.Args[1]
	switch name {
	case "help", "-h", "--help", "-help":
		usage(os.Stdout)
		return
	}
	for _, c := range commands() {
		if c.name == name {
			os.Exit(c.run(os.Args[2:]))
		}
	}
	fmt.Fprintf(os.Stderr, "nsmodel: no command %q\n\n", name)
	usage(os.Stderr)
	os.Exit(2)
}

func usage(f *os.File) {
	fmt.Fprint(f, "nsmodel: an executable reference model of Linux network namespaces\n\nusage: nsmodel COMMAND ...\n\n")
	for _, c := range commands() {
		fmt.Fprintf(f, "  %-8s %-28s %s\n", c.name, c.args, c.short)
	}
	fmt.Fprint(f, "\n`nsmodel COMMAND -h` says more. Start with `nsmodel demo`.\n")
}

// fail prints an error the way the command's users expect and returns the exit
// status.
func fail(err error) int {
	text := err.Error()
	if !strings.HasPrefix(text, "nsmodel") {
		text = "nsmodel: " + text
	}
	fmt.Fprintln(os.Stderr, text)
	return 1
}

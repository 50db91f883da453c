package main

import (
	"flag"
	"fmt"
	"os"
	"text/tabwriter"

	"nsmodel"
)

// placeFlags reads --place flags into a vector.
type placeFlags struct{ nsmodel.Places }

// Set implements [flag.Value].
func (p *placeFlags) Set(s string) error { return p.Places.Set(s) }

func (p *placeFlags) String() string { return "" }

// addPlace adds the flag that says where state stands.
func addPlace(fs *flag.FlagSet) *placeFlags {
	p := new(placeFlags)
	fs.Var(p, "place", "`SUBSYSTEM=tagged|replicated`, or a vector's name, as often as wanted; all=... for every one: "+nsmodel.PlaceWords()+"; `nsmodel places` lists the vectors")
	return p
}

// flags returns a flag set with the flags that every machine has.
func flags(name, usage string, c *nsmodel.Config) (*flag.FlagSet, *placeFlags) {
	fs := flag.NewFlagSet("nsmodel "+name, flag.ContinueOnError)
	p := addPlace(fs)
	fs.Uint64Var(&c.Seed, "seed", 1, "what all randomness grows from")
	fs.IntVar(&c.Workers, "workers", 1, "how many workers move packets")
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: nsmodel %s %s\n\n", name, usage)
		fs.PrintDefaults()
	}
	return fs, p
}

// gates prints the table of gates.
func gates(args []string) int {
	var c nsmodel.Config
	fs, _ := flags("gates", "", &c)
	if err := fs.Parse(args); err != nil {
		return 2
	}
	m, err := nsmodel.New(c)
	if err != nil {
		return fail(err)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "LAYER\tENTRY POINT\tGATE\tWHY")
	for _, r := range m.Core.Gates() {
		state := "open"
		if !r.Open {
			state = "closed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Layer, r.Entry, state, r.Why)
	}
	if err := w.Flush(); err != nil {
		return fail(err)
	}
	fmt.Println("\nAn entry point without a row cannot be registered. A closed gate admits the initial namespace only.")
	return 0
}

// places prints where each subsystem's state stands.
func places(args []string) int {
	var c nsmodel.Config
	fs, p := flags("places", "[--place S=P]...", &c)
	if err := fs.Parse(args); err != nil {
		return 2
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SUBSYSTEM\tPLACEMENT\tDEFAULT\tWHAT")
	for _, r := range p.Rows() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Word, r.Place, r.Usual, r.Meaning)
	}
	if err := w.Flush(); err != nil {
		return fail(err)
	}
	fmt.Println("\nNamed vectors, for --place NAME; what each shares among all namespaces:")
	for _, v := range nsmodel.Vectors() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, v.Shared(), v.Meaning)
	}
	if err := w.Flush(); err != nil {
		return fail(err)
	}
	return 0
}

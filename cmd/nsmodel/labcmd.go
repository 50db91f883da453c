package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"nsmodel"
	"nsmodel/host"
	"nsmodel/lab"
)

// labRun runs labs in virtual time and prints their transcripts.
func labRun(args []string) int {
	var c nsmodel.Config
	fs, p := flags("lab", "FILE... (- is standard input)", &c)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if fs.NArg() == 0 {
		fs.Usage()
		return 2
	}
	c.Place = p.Places
	status := 0
	for _, name := range fs.Args() {
		text, err := readLab(name)
		if err == nil {
			err = runLab(c, name, text, func(r lab.Result) { fmt.Print(r) })
		}
		if err != nil {
			status = fail(err)
		}
	}
	return status
}

func readLab(name string) (string, error) {
	if name == "-" {
		b, err := io.ReadAll(os.Stdin)
		return string(b), err
	}
	b, err := os.ReadFile(name)
	return string(b), err
}

// runLab runs one lab on a machine of its own.
func runLab(c nsmodel.Config, name, text string, each func(lab.Result)) error {
	m, err := nsmodel.New(c)
	if err != nil {
		return err
	}
	h := host.New(m)
	err = lab.New(h).RunLab(name, text, each)
	return errors.Join(err, h.Close(), m.Close())
}

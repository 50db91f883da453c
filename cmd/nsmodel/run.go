package main

import "errors"

func run(args []string) int { return fail(errors.New("run: being built")) }

func oneShot(tool string) func([]string) int {
	return func(args []string) int { return fail(errors.New(tool + ": being built")) }
}

package conformance

import "embed"

// inside are the labs and their transcripts.
//
//go:embed testdata/*.lab testdata/*.golden
var inside embed.FS

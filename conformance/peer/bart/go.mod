module nsmodel/conformance/peer/bart

go 1.26.0

require (
	github.com/gaissmai/bart v0.30.0
	nsmodel v0.0.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace nsmodel => ../../..

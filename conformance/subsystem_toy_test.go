package conformance_test

import (
	"testing"

	"nsmodel/conformance"
)

func TestNames(t *testing.T) { conformance.TestSubsystem(t, namesSubsystem()) }

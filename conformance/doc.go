// Package conformance judges the model.
package conformance

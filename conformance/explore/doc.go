// Package explore tries the interleavings of a few tasks on the real code of the
// model, and tells what breaks as a story.
//
// The sources of the model are compiled once more with step/atomic and step/sync in
// the place of sync/atomic and sync, by an overlay ([Write]) of which the shipped
// model knows nothing; package scene has the tasks, package search tries the
// schedules, and the program in explorer, which [Build] makes, does both. A planted
// race is an edit in the same overlay, switched on by name.
//
// docs/explorer.md says how to read a story, and what is not explored.
//
//tagvet:outdoors it reads sources, builds programs and runs them
package explore

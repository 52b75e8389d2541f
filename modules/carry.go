package modules

import "io"

// Carrier is a module whose state in shared memory survives an upgrade to a binary that lays it out differently: the old binary's instance writes it in a neutral
// form and frees it, the new one's reads it. All of this runs in main, on an instance whose Init was called, while no process works on that memory; what the
// state refers to outside of it (connections, wheels, listeners, slots) stays where it is and is carried by value.
//
// The way of an upgrade is Export, Drop (old binary), Init, Import (new one). When the new one can not go on, it calls Drop, and the old one Init and Import.
type Carrier interface {
	// Form names the form that Export writes, by name and version: "tm/1". A form is for ever: what changes the meaning of a field is a new form.
	Form() string
	// Reads says whether Import reads a form.
	Reads(form string) bool
	// Roots are the names of the roots behind which the state lies.
	Roots() []string
	// Export writes the state and changes nothing. Memory is taken for one entry at a time.
	Export(w io.Writer) error
	// Import adds what r holds to an empty state. After an error part of it may be there.
	Import(r io.Reader) error
	// Drop frees the state, whatever is there, and its roots.
	Drop() error
}

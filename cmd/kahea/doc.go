// Command kahea is the server: it runs a kamailio.cfg on forked event-loop workers that share memory.
//
// The same binary is main (the attendant) and, started again by it through /proc/self/exe, each of the children. Both load the
// configuration in the same way (load.go): main from the files, a child from the text that main sealed. boot.go is main's way from
// the command line to the supervised children; child.go is a child's.
package main

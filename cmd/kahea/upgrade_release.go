//go:build !kaheadebug

package main

// failResume is the debug build's.
func failResume(*server) error { return nil }

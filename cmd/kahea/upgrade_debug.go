//go:build kaheadebug

package main

import (
	"errors"
	"os"
	"path/filepath"
)

// failResume makes the debug build fail in the place of another binary when the run directory has a file upgrade-fails.
func failResume(s *server) error {
	if _, err := os.Stat(filepath.Join(s.par.RunDir, "upgrade-fails")); err == nil {
		return errors.New("told to fail by a file upgrade-fails")
	}
	return nil
}

// failChild makes the debug build's children fail at their start when the run directory has a file upgrade-children-fail.
func failChild(s *server) error {
	if _, err := os.Stat(filepath.Join(s.par.RunDir, "upgrade-children-fail")); err == nil {
		return errors.New("told to fail by a file upgrade-children-fail")
	}
	return nil
}

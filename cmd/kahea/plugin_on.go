//go:build plugin

package main

import (
	"fmt"
	"plugin"
	"strings"
)

// openPlugin loads a Go plugin; it registers its modules.
func openPlugin(path string) error {
	_, err := plugin.Open(path)
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "different version"): // Go has no value for it
		return fmt.Errorf("%s was built for another kahea: %w", path, err)
	}
	return fmt.Errorf("%s is no plugin for this kahea (Kamailio's own modules are C): %w", path, err)
}

//go:build !plugin

package main

import (
	"errors"
	"fmt"
)

var errNoPlugins = errors.New("this kahea loads no Go plugins (and Kamailio's own modules are C): build it with -tags plugin, from the same sources as the plugin")

// openPlugin refuses: a binary that can load plugins keeps what no module of its own needs, which makes it larger by half and slower to start.
func openPlugin(path string) error { return fmt.Errorf("%s: %w", path, errNoPlugins) }

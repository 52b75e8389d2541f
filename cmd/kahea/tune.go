package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"kahea/cfglang/diag"
	"kahea/cfglang/tune"
)

// noTune is the --tune that asks for no overlay.
const noTune = "none"

// origin is where a value comes from: a place in the configuration or the overlay, or an option of the command line.
type origin struct {
	pos    diag.Pos
	option string
}

func (o origin) String() string {
	switch {
	case o.option != "":
		return "command line (" + o.option + ")"
	case o.pos.IsValid():
		return o.pos.String()
	}
	return "default"
}

// readTune reads the overlay that belongs to the configuration. Its path becomes absolute: a reload reads it again, and main changes its working directory.
func (s *sealed) readTune() (err error) {
	o := s.Options
	name := o.Tune
	switch {
	case name == noTune:
		return nil
	case name != "":
		name = absolute(name)
		o.Tune = name
	case o.Builtin || s.Name == "-":
		return nil
	default:
		name = strings.TrimSuffix(s.Name, filepath.Ext(s.Name)) + ".toml"
	}
	s.TuneText, err = os.ReadFile(name)
	if o.Tune == "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the overlay: %w", err)
	}
	s.TuneName = name
	return nil
}

// overlay applies a TOML overlay: it wins over the configuration.
func (c *config) overlay(o *tune.Overlay) {
	for _, s := range o.Core {
		c.coreParam(s.Name, s.Value, s.Pos)
	}
	for _, l := range o.Listen {
		c.listen = append(c.listen, listenSpec{Param: l.Param(), workers: l.Workers})
	}
	for _, s := range o.Modules {
		found := false
		var names []string
		for _, l := range c.loaded {
			names = append(names, l.Name)
			if l.Name != s.Module {
				continue
			}
			found = true
			if err := c.setParam(l, s.Name, s.Value, s.Pos); err != nil {
				c.badModParam(l, s.Name, s.Pos, err)
			}
		}
		if !found {
			dg := diag.Diagnostic{Pos: s.Pos, EndCol: s.Pos.Col + len(s.Name), Summary: fmt.Sprintf("module %q is not loaded", s.Module)}
			if near := diag.Nearest(s.Module, names); near != "" {
				dg.Detail = fmt.Sprintf("did you mean %q?", near)
			}
			c.diag.Add(dg)
		}
	}
}

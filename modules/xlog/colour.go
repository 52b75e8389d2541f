package xlog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
)

const colours = "srgybpcw" // black red green yellow blue purple cyan white

var errColour = errors.New("want two letters, foreground and background: x s r g y b p c w, the first in upper case for bold")

// bindColour makes the escape sequence of $C(fb).
func (m *mod) bindColour(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	seq, err := sequence(r.Inner)
	if err != nil || r.Index.Kind != route.NoIndex {
		return nil, nil, errColour
	}
	v, none := route.Str(seq), route.Str([]byte{})
	return func(*route.Ctx) route.Value {
		if m.colour {
			return v
		}
		return none
	}, nil, nil
}

// sequence is the terminal's sequence for two letters.
func sequence(text string) ([]byte, error) {
	if len(text) != 2 {
		return nil, errColour
	}
	seq := []byte("\x1b[0;39;49m")
	fg, bg := text[0], text[1]
	if fg != 'x' {
		i := strings.IndexByte(colours, fg|0x20)
		if i < 0 {
			return nil, errColour
		}
		seq[5] = '0' + byte(i)
		if fg < 'a' {
			seq[2] = '1'
		}
	}
	if bg != 'x' {
		i := strings.IndexByte(colours, bg)
		if i < 0 {
			return nil, errColour
		}
		seq[8] = '0' + byte(i)
	}
	return seq, nil
}

// levelColour is one of log_colors.
type levelColour struct {
	level log.Level
	seq   string
}

// levelNames are the names of log_colors; read-only.
var levelNames = map[string]log.Level{"L_ALERT": log.Alert, "L_BUG": log.Bug, "L_CRIT": log.Crit, "L_ERR": log.Err, "L_WARN": log.Warn, "L_NOTICE": log.Notice, "L_INFO": log.Info,
	"L_DBG": log.Debug}

// setColours takes LEVEL=fb, several of them separated by semicolons; the parameter may be set more than once.
func (m *mod) setColours(v modules.Value) error {
	for part := range strings.SplitSeq(v.Str, ";") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		level, ok := levelNames[name]
		if !ok {
			return fmt.Errorf("%q is no log level: %s", name, strings.Join(slices.Sorted(maps.Keys(levelNames)), " "))
		}
		seq, err := sequence(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("%s=%s: %w", name, text, err)
		}
		m.colours = append(m.colours, levelColour{level, string(seq)})
	}
	return nil
}

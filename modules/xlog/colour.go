package xlog

import (
	"errors"
	"strings"

	"kahea/cfglang/route"
)

const colours = "srgybpcw" // black red green yellow blue purple cyan white

var errColour = errors.New("want two letters, foreground and background: x s r g y b p c w, the first in upper case for bold")

// bindColour makes the escape sequence of $C(fb).
func (m *mod) bindColour(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	if len(r.Inner) != 2 || r.Index.Kind != route.NoIndex {
		return nil, nil, errColour
	}
	seq := []byte("\x1b[0;39;49m")
	fg, bg := r.Inner[0], r.Inner[1]
	if fg != 'x' {
		i := strings.IndexByte(colours, fg|0x20)
		if i < 0 {
			return nil, nil, errColour
		}
		seq[5] = '0' + byte(i)
		if fg < 'a' {
			seq[2] = '1'
		}
	}
	if bg != 'x' {
		i := strings.IndexByte(colours, bg)
		if i < 0 {
			return nil, nil, errColour
		}
		seq[8] = '0' + byte(i)
	}
	v, none := route.Str(seq), route.Str([]byte{})
	return func(*route.Ctx) route.Value {
		if m.colour {
			return v
		}
		return none
	}, nil, nil
}

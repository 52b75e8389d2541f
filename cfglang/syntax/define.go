package syntax

import (
	"fmt"
	"strings"

	"kahea/cfglang/diag"
)

// ParseDefineArg takes the argument of -A, NAME or NAME=VALUE, apart. The value is taken as it is: quotes must be part of it for a string.
func ParseDefineArg(arg string) (Define, error) {
	name, value, _ := strings.Cut(arg, "=")
	if name == "" || !isIDStart(name[0]) || identEnd(name, 0) != len(name) {
		return Define{}, fmt.Errorf("-A %s: %q is no name of a define", arg, name)
	}
	src := &diag.Source{Text: []byte(arg)}
	return Define{Name: name, Value: value, HasValue: value != "", Pos: Pos{Src: src, Line: 1, Col: 1}}, nil
}

package textopsx

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/modules/lib/fnmatch"
)

func fnMatch(c *route.Ctx, a *route.Args) int {
	text, ok1 := a.Str(c, 0)
	pattern, ok2 := a.Str(c, 1)
	if !ok1 || !ok2 {
		return -1
	}
	if a.N > 2 {
		flags, _ := a.Str(c, 2) // no flags when it can not be evaluated
		if bytes.IndexByte(flags, 'i') >= 0 {
			text, pattern = bytes.ToLower(text), bytes.ToLower(pattern)
		}
	}
	if fnmatch.Match(text, pattern) {
		return 1
	}
	return -1
}

package registrar

import (
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// path joins the Path fields. unsupported: path_mode 2 and the client does not list path in Supported.
func (m *mod) path(c *route.Ctx) (path []byte, unsupported bool) {
	if m.usePath == 0 {
		return nil, false
	}
	for h := c.Msg.First(sipparse.HdrPath); h != nil; h = c.Msg.NextOf(h) {
		if path == nil {
			path = c.Msg.Bytes(h.Body)
			continue
		}
		path = c.Scratch.Concat(path, []byte(","), c.Msg.Bytes(h.Body))
	}
	return path, path != nil && m.pathMode == 2 && !supports(c, "path")
}

// pathParses says whether the Path fields can be read; they matter only when Path is used.
func (m *mod) pathParses(c *route.Ctx) bool {
	if m.usePath == 0 {
		return true
	}
	v := c.Msg.Values(sipparse.HdrPath)
	for first := true; ; {
		ok, e := v.Next()
		if e != sipparse.OK {
			return false
		}
		if !ok {
			return true
		}
		var u sipparse.URI
		if c.P.Par.Grammar.ParseURI(c.Msg.Bytes(v.URI), &u) != sipparse.OK || first && !looseRouter(&u, c.Msg.Bytes(v.URI)) {
			return false // the first hop has to be a loose router
		}
		first = false
	}
}

// pathLine is the Path line of the answer, nil if there is none.
func (m *mod) pathLine(c *route.Ctx, bad *refusal) []byte {
	path, _ := m.path(c)
	if path == nil || m.pathMode == 0 || m.pathMode == 1 && !supports(c, "path") || bad != nil && bad != refusePath {
		return nil
	}
	return c.Scratch.Concat([]byte("Path: "), path, []byte("\r\n"))
}

// pathReceived is the received parameter of the first Path URI, with path_use_received; nil if there is none.
func (m *mod) pathReceived(path []byte) []byte {
	if m.pathUseReceived == 0 || path == nil {
		return nil
	}
	uri, _ := firstPath(path)
	var u sipparse.URI
	if uri == nil || m.h.Proc.Par.Grammar.ParseURI(uri, &u) != sipparse.OK {
		return nil
	}
	v, _ := sipparse.Param(u.Params.In(uri), "received")
	return unquote(v)
}

func looseRouter(u *sipparse.URI, b []byte) bool {
	_, ok := sipparse.Param(u.Params.In(b), "lr")
	return ok
}

package registrar

import (
	"bytes"

	"kahea/sipparse"
)

// wellFormed says whether Kamailio's parser for Contact takes a value that the one for lists has taken: an address without < > has a scheme, none is empty, and behind a semicolon
// stands a parameter and behind a comma a value.
func wellFormed(m *sipparse.Msg, v *sipparse.Values) bool {
	body := v.Hdr.Body
	if v.Rest.Len == 0 && m.Buf[body.End()-1] == ',' {
		return false
	}
	if v.Star {
		return true
	}
	uri := m.Bytes(v.URI)
	if len(uri) == 0 || !v.Angle && (bytes.IndexByte(uri, ':') < 0 || bytes.IndexByte(uri, '>') >= 0) {
		return false
	}
	end := body.End()
	if v.Rest.Len > 0 {
		end = v.Rest.Off - 1
	}
	quoted, bare := false, false
	for i := v.URI.End(); i < end; i++ {
		switch c := m.Buf[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted, bare = true, false
		case c == ';':
			if bare {
				return false
			}
			bare = true
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			bare = false
		}
	}
	return !bare
}

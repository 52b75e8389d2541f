package sipparse

// ParamIter walks a params text: for it := Params(b); it.Next(); { it.Name, it.Value }.
type ParamIter struct {
	Name, Value []byte // Value as it stands, quotes included
	HasValue    bool   // "=" stands there, with or without a value
	rest        []byte
}

// Params starts a walk over "a=1;b;c=\"x\"".
func Params(params []byte) ParamIter { return ParamIter{rest: params} }

// Next goes to the next parameter; empty ones (";;") are passed over.
func (p *ParamIter) Next() bool {
	b, i := p.rest, 0
	for i < len(b) && (b[i] == ';' || class[b[i]]&isLWS != 0) {
		i++
	}
	if i == len(b) {
		p.rest = nil
		return false
	}
	start := i
	for i < len(b) && b[i] != '=' && b[i] != ';' {
		i++
	}
	p.Name = trimmed(b, start, i).In(b)
	p.Value, p.HasValue = nil, false
	if i < len(b) && b[i] == '=' {
		p.HasValue = true
		i = skipLWS(b, i+1, len(b))
		start = i
		for i < len(b) && b[i] != ';' {
			if b[i] == '"' {
				if q := skipQuoted(b, i, len(b)); q > 0 {
					i = q
					continue
				}
				i = len(b)
				break
			}
			i++
		}
		p.Value = trimmed(b, start, i).In(b)
	}
	p.rest = b[i:]
	return true
}

// Param finds a parameter by name (case-insensitive) in a params text "a=1;b;c=\"x\"". Quotes are not removed.
func Param(params []byte, name string) (value []byte, ok bool) {
	for it := Params(params); it.Next(); {
		if equalFold(it.Name, name) {
			return it.Value, true
		}
	}
	return nil, false
}

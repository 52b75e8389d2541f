package sipparse

// Via is one via-parm.
type Via struct {
	Whole     Span // from the protocol name to the last parameter
	Name      Span // "SIP"
	Version   Span // "2.0"
	Transport Span
	Proto     Proto
	Host      Span // with brackets if IPv6
	PortText  Span
	Port      uint16 // 0 if absent
	Params    Span   // all parameters, from behind the first ';'
	Branch    Span   // values of parameters; empty if absent
	Received  Span
	RPort     Span
	HasRPort  bool // ";rport" stands there, with or without a value
	HasBranch bool
	I         Span
	HasI      bool
	HasAlias  bool
	Alias     Span
	RPortAt   Span   // the whole rport parameter with the ';' before it and the white space behind it
	RecvAt    Span   // the whole received parameter, likewise
	SentByEnd uint32 // where Kamailio inserts ";received": the first ';', behind host[:port] if there is no parameter
	Hdr       int32  // index in Msg.Hdrs
	Rest      Span   // what follows behind the comma in the same field; empty if nothing
}

// ParseVia parses one via-parm at the start of at; offsets are of buf. v.Hdr is left to the caller.
func ParseVia(buf []byte, at Span, v *Via) Err {
	*v = Via{}
	end := int(at.End())
	buf = buf[:end]
	i := skipLWS(buf, int(at.Off), end)
	start := i
	// protocol name, version, transport
	if end-i < 3 || !equalFold(buf[i:i+3], "SIP") {
		return ErrVia
	}
	v.Name = span(i, i+3)
	if i = skipLWS(buf, i+3, end); i >= end || buf[i] != '/' {
		return ErrVia
	}
	i = skipLWS(buf, i+1, end)
	if end-i < 3 || buf[i] != '2' || buf[i+1] != '.' || buf[i+2] != '0' {
		return ErrVia
	}
	v.Version = span(i, i+3)
	if i = skipLWS(buf, i+3, end); i >= end || buf[i] != '/' {
		return ErrVia
	}
	i = skipLWS(buf, i+1, end)
	j := skipClass(buf, i, end, isToken)
	if j == i {
		return ErrVia
	}
	v.Transport = span(i, j)
	v.Proto, _ = ParseProto(buf[i:j])
	if i = skipLWS(buf, j, end); i == j || i == end {
		return ErrVia
	}
	// sent-by
	if buf[i] == '[' {
		j = skipClass(buf, i+1, end, isAddr)
		if j == i+1 || j >= end || buf[j] != ']' {
			return ErrVia
		}
		j++
	} else if j = skipClass(buf, i, end, isHost); j == i {
		return ErrVia
	}
	v.Host = span(i, j)
	v.SentByEnd = uint32(j)
	last := j
	i = skipLWS(buf, j, end)
	if i < end && buf[i] == ':' {
		i = skipLWS(buf, i+1, end)
		j = i
		for j < end && class[buf[j]]&isLWS == 0 && buf[j] != ';' && buf[j] != ',' && buf[j] != '(' {
			j++
		}
		n, ok := number(buf[i:j], 65535)
		if !ok {
			return ErrPort
		}
		v.PortText, v.Port = span(i, j), uint16(n)
		v.SentByEnd = uint32(j)
		last = j
		i = skipLWS(buf, j, end)
	}
	// parameters
	for i < end {
		switch buf[i] {
		case ';':
			sep := i
			i = skipLWS(buf, i+1, end)
			j = skipClass(buf, i, end, isToken)
			if j == i {
				return ErrVia
			}
			name := span(i, j)
			if v.Params.Off == 0 {
				v.Params.Off, v.SentByEnd = uint32(i), uint32(sep)
			}
			last = j
			val := Span{Off: uint32(j)}
			has := false
			i = skipLWS(buf, j, end)
			if i < end && buf[i] == '=' {
				has = true
				i = skipLWS(buf, i+1, end)
				if i < end && buf[i] == '"' {
					if j = skipQuoted(buf, i, end); j < 0 {
						return ErrVia
					}
					val = span(i+1, j-1)
				} else {
					j = skipClass(buf, i, end, isPVal)
					val = span(i, j)
				}
				last = j
				i = skipLWS(buf, j, end)
			}
			if e := v.param(buf, name, val, has, span(sep, i)); e != OK {
				return e
			}
		case '(':
			// comment of RFC 2543, nested and escaped
			depth := 0
			for ; i < end; i++ {
				if buf[i] == '\\' {
					i++
				} else if buf[i] == '(' {
					depth++
				} else if buf[i] == ')' {
					if depth--; depth == 0 {
						break
					}
				}
			}
			if depth != 0 || i >= end {
				return ErrVia
			}
			i = skipLWS(buf, i+1, end)
		case ',':
			if skipLWS(buf, i+1, end) == end {
				return ErrVia
			}
			v.Rest = span(i+1, end)
			i = end
		default:
			return ErrVia
		}
	}
	v.Whole = span(start, last)
	if v.Params.Off != 0 {
		v.Params.Len = uint32(last) - v.Params.Off
	}
	return OK
}

// param takes note of a parameter that others ask for.
func (v *Via) param(buf []byte, name, val Span, has bool, at Span) Err {
	b := name.In(buf)
	switch len(b) {
	case 1:
		if b[0]|0x20 == 'i' {
			v.I, v.HasI = val, true
		}
	case 5:
		if equalFold(b, "rport") {
			v.RPort, v.HasRPort, v.RPortAt = val, true, at
		} else if equalFold(b, "alias") {
			v.Alias, v.HasAlias = val, true
		}
	case 6:
		if equalFold(b, "branch") {
			v.Branch, v.HasBranch = val, true
		}
	case 8:
		if equalFold(b, "received") {
			v.Received, v.RecvAt = val, at
		}
	}
	return OK
}

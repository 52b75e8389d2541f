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
	I         Span // connection id of Kamailio
	HasI      bool
	HasAlias  bool
	Alias     Span
	RPortAt   Span   // what Kamailio replaces to fill rport in: from the ';' to the value's end; without value, the white space behind it too
	RecvAt    Span   // what Kamailio replaces to set received, likewise
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
	j := skipClass(buf, i, end, isViaText)
	if j == i || badTransportStart(buf[i]) {
		return ErrVia
	}
	v.Transport = span(i, j)
	v.Proto, _ = ParseProto(buf[i:j])
	if i = skipLWS(buf, j, end); i == j || i == end {
		return ErrVia
	}
	// sent-by
	if buf[i] == '[' {
		j = skipClass(buf, i+1, end, isViaAddr)
		if j == i+1 || j >= end || buf[j] != ']' {
			return ErrVia
		}
		j++
	} else if j = skipClass(buf, i, end, isViaHost); j == i {
		return ErrVia
	}
	v.Host = span(i, j)
	v.SentByEnd = uint32(j)
	last := j
	i = skipLWS(buf, j, end)
	if i < end && buf[i] == ':' {
		i = skipLWS(buf, i+1, end)
		j = skipClass(buf, i, end, isDigit)
		n, ok := number(buf[i:j], 99999)
		if !ok || j-i > 5 {
			return ErrPort
		}
		// a port above 65535 passes and is cut, as in Kamailio
		v.PortText, v.Port = span(i, j), uint16(n)
		if v.Port != 0 {
			// Kamailio takes it that no white space stands around the colon
			v.SentByEnd += uint32(1 + j - i)
		}
		last = j
		i = skipLWS(buf, j, end)
	}
	for i < end && buf[i] == ';' {
		// one parameter
		sep := i
		i = skipLWS(buf, i+1, end)
		j = skipClass(buf, i, end, isViaName)
		if j == i || badNameStart(buf[i]) {
			return ErrVia
		}
		if v.Params.Off == 0 {
			v.Params.Off, v.SentByEnd = uint32(i), uint32(sep)
		}
		p := viaParam{kind: viaParamKind(buf[i:j]), val: span(j, j), at: span(sep, j)}
		last = j
		i = skipLWS(buf, j, end)
		switch {
		case i < end && buf[i] == '=':
			if p.kind == viaFlag || p.kind == viaAlias {
				return ErrVia
			}
			last = i + 1
			i = skipLWS(buf, i+1, end)
			if i < end && buf[i] == '"' {
				// no escapes, and no comma, inside; at the end of the field the closing quote may be missing
				for j = i + 1; j < end && buf[j] != '"'; j++ {
					if buf[j] == ',' || buf[j] == 0 {
						return ErrVia
					}
				}
				p.val = span(i+1, j)
				p.at = span(sep, j) // Kamailio leaves the closing quote behind when it replaces the parameter
				if j < end {
					j++
				} else if p.kind != viaOther {
					return ErrVia
				}
				last = j
				i = skipLWS(buf, j, end)
				break
			}
			j = skipClass(buf, i, end, isViaValue)
			p.val = span(i, j)
			i = skipLWS(buf, j, end)
			if p.val.Len > 0 {
				last = j
				p.at = span(sep, j)
				break
			}
			p.at = span(sep, i)
			if i == end && p.kind.needsValue() || i < end && buf[i] == ',' {
				return ErrVia
			}
		default:
			p.at = span(sep, i)
			if p.kind.needsValue() && (i == end || i == j || buf[i] != ';') {
				return ErrVia
			}
			if i > j && i < end && (buf[i] == '(' && p.kind != viaFlag && p.kind != viaAlias || buf[i] == ',' && p.kind == viaOther) {
				return ErrVia
			}
		}
		v.set(&p)
	}
	for i < end && buf[i] == '(' {
		if i = skipComment(buf, i, end); i < 0 {
			return ErrVia
		}
		i = skipLWS(buf, i, end)
	}
	if i < end {
		if buf[i] != ',' {
			return ErrVia
		}
		for i < end && (buf[i] == ',' || class[buf[i]]&isLWS != 0) {
			i++
		}
		if i == end {
			return ErrVia
		}
		v.Rest = span(i, end)
	}
	v.Whole = span(start, last)
	if v.Params.Off != 0 {
		v.Params.Len = uint32(last) - v.Params.Off
	}
	return OK
}

// badTransportStart: letters that Kamailio's state machine, still looking for SIP/2.0, does not take for the beginning of an unknown name.
func badTransportStart(c byte) bool {
	switch c {
	case '.', '0', '2', 'C', 'D', 'I', 'L', 'P', 'c', 'd', 'i', 'l', 'p':
		return true
	}
	return false
}

func badNameStart(c byte) bool {
	switch c {
	case 0, '(', ')', ':', '[', ']':
		return true
	}
	return false
}

// skipComment wants buf[i] == '(' and returns the offset behind the comment (RFC 2543), nested, without escapes, or -1.
func skipComment(buf []byte, i, end int) int {
	for depth := 0; i < end; i++ {
		switch buf[i] {
		case 0:
			return -1
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// viaKind is a parameter of Via that means something to Kamailio's parser.
type viaKind uint8

const (
	viaOther viaKind = iota
	viaBranch
	viaReceived
	viaI
	viaTTL
	viaMaddr
	viaRPort
	viaAlias
	viaFlag // hidden: takes no value, means nothing
)

// needsValue: without a value it is an error in most places.
func (k viaKind) needsValue() bool { return k >= viaBranch && k <= viaMaddr }

type viaParam struct {
	kind viaKind
	val  Span
	at   Span // from the ';' on
}

func viaParamKind(b []byte) viaKind {
	switch len(b) {
	case 1:
		if b[0]|0x20 == 'i' {
			return viaI
		}
		if b[0]|0x20 == 'a' {
			return viaFlag // the beginnings of "alias" pass for other parameters in Kamailio's state machine
		}
	case 2:
		if equalFold(b, "al") {
			return viaTTL
		}
	case 3:
		if equalFold(b, "ttl") {
			return viaTTL
		}
		if equalFold(b, "ali") {
			return viaBranch
		}
	case 4:
		if equalFold(b, "alia") {
			return viaMaddr
		}
	case 5:
		switch {
		case equalFold(b, "rport"):
			return viaRPort
		case equalFold(b, "alias"):
			return viaAlias
		case equalFold(b, "maddr"):
			return viaMaddr
		}
	case 6:
		if equalFold(b, "branch") {
			return viaBranch
		}
		if equalFold(b, "hidden") {
			return viaFlag
		}
	case 8:
		if equalFold(b, "received") {
			return viaReceived
		}
	}
	return viaOther
}

// set takes note of a parameter; of several of one kind the last counts.
func (v *Via) set(p *viaParam) {
	switch p.kind {
	case viaBranch:
		v.Branch, v.HasBranch = p.val, true
	case viaReceived:
		v.Received, v.RecvAt = p.val, p.at
	case viaI:
		v.I, v.HasI = p.val, true
	case viaRPort:
		v.RPort, v.HasRPort, v.RPortAt = p.val, true, p.at
	case viaAlias:
		v.Alias, v.HasAlias = p.val, true
	}
}

package syntax

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// proto reads a transport word; ok is false for anything else. "*" is all.
func protoWord(s string) (string, bool) {
	switch low := strings.ToLower(s); low {
	case "udp", "tcp", "tls", "sctp", "ws", "wss":
		if s == low || s == strings.ToUpper(s) {
			return low, true
		}
	}
	return "", false
}

// host reads a bare host: words and numbers joined by "." and "-", an IPv4 or IPv6 address (brackets are dropped).
func (p *parser) host() string {
	t := p.take()
	switch {
	case t.is("["):
		a := p.take()
		if a.kind != tIP6 {
			p.failAt(&a, fmt.Sprintf("syntax error: %s, an IPv6 address expected", a.describe()), "")
		}
		p.expect("]", "")
		return a.text
	case t.kind == tIP6:
		return t.text
	case t.kind == tStr:
		return t.text
	case t.kind == tID || t.kind == tNum || t.kind == tNumID:
	default:
		p.failAt(&t, fmt.Sprintf("syntax error: %s, an address or a host name expected", t.describe()), "")
	}
	if t.keyword() {
		if _, isProto := protoWord(t.text); !isProto {
			p.failAt(&t, fmt.Sprintf("syntax error: the keyword %q cannot be (the first part of) a host name", t.text), "in quotes it can")
		}
	}
	s := t.text
	for {
		op := p.peek()
		if !op.is(".") && !op.is("-") {
			break
		}
		n := p.peekN(1)
		if n.kind != tID && n.kind != tNum && n.kind != tNumID {
			break
		}
		p.take()
		s += op.text
		s += p.take().text
	}
	if strings.Trim(s, "0123456789.") == "" && strings.Contains(s, ".") {
		if _, err := netip.ParseAddr(s); err != nil {
			p.errorAt(&t, fmt.Sprintf("%s is no IPv4 address", s), "")
		}
	}
	return s
}

// socketID parses [proto:]host[:port].
func (p *parser) socketID(ports bool) SocketID {
	t := p.peek()
	s := SocketID{Pos: t.pos}
	if p.peekN(1).is(":") {
		if t.is("*") {
			p.take()
			p.take()
		} else if proto, ok := protoWord(t.text); ok && t.kind == tID {
			s.Proto = proto
			p.take()
			p.take()
		}
	}
	if p.accept("(") {
		for {
			s.Hosts = append(s.Hosts, p.host())
			if !p.accept(",") {
				break
			}
		}
		p.expect(")", "")
	} else {
		s.Hosts = []string{p.host()}
	}
	if p.accept(":") {
		s.Port = p.port()
		if ports && p.accept("-") {
			s.PortEnd = p.port()
		}
	}
	return s
}

func (p *parser) port() int {
	t := p.take()
	if t.is("*") {
		return 0
	}
	if t.kind != tNum {
		p.failAt(&t, fmt.Sprintf("syntax error: %s, a port number expected", t.describe()), "")
	}
	if t.num < 0 || t.num > 65535 {
		p.errorAt(&t, fmt.Sprintf("port %s is out of range", t.text), "ports are 0 to 65535")
	}
	return int(t.num)
}

// moreSockets says whether another entry of a list of addresses follows: lists have no commas.
func (p *parser) moreSockets() bool {
	t := p.peek()
	switch t.kind {
	case tIP6, tStr, tNum, tNumID:
		return true
	case tID:
		if _, isProto := protoWord(t.text); isProto {
			return true
		}
		if t.keyword() {
			return false
		}
		n := p.peekN(1)
		if n.is("=") {
			return false
		}
		if n.is(".") || n.is("[") { // group.name = value
			return !p.peekN(3).is("=") && !n.is("[")
		}
		return true
	}
	return t.is("(") || t.is("[") || t.is("*")
}

func (p *parser) listen(t token) {
	par := &Param{Pos: t.pos, Name: t.text}
	for {
		par.Sockets = append(par.Sockets, p.socketID(false))
		if !p.moreSockets() {
			break
		}
	}
	if t.text == "listen" {
		if w := p.peek(); w.word("advertise") || w.word("ADVERTISE") {
			p.take()
			adv := p.socketID(false)
			if len(adv.Hosts) != 1 {
				p.failAt(w, "advertise takes one address", "")
			}
			par.Adv = &adv
		}
		if w := p.peek(); w.word("name") || w.word("NAME") {
			p.take()
			par.SockName = p.expectString("the name of the socket").text
		}
		if w := p.peek(); w.word("virtual") {
			p.take()
			par.Virtual = true
		}
		if w := p.peek(); w.word("advertise") || w.word("ADVERTISE") || w.word("name") || w.word("NAME") {
			p.failAt(w, fmt.Sprintf("syntax error: %q out of order", w.text), `order: advertise HOST:PORT, name "NAME", virtual`)
		}
	}
	p.add(par)
}

func (p *parser) socketBlock(t token) {
	p.expect("{", "form: socket = { bind = udp:ADDRESS:PORT; ... }")
	b := &SocketBlock{Pos: t.pos}
	for !p.accept("}") {
		if p.accept(";") {
			continue
		}
		n := p.take()
		if n.kind != tID {
			p.failAt(&n, fmt.Sprintf("syntax error: %s, an attribute expected", n.describe()), "attributes: bind name advertise agname virtual vrf workers")
		}
		a := Attr{Pos: n.pos, Name: strings.ToLower(n.text)}
		p.expect("=", "")
		switch a.Name {
		case "bind", "advertise":
			s := p.socketID(a.Name == "bind")
			a.Sock = &s
		case "name", "agname", "vrf":
			v := p.expectString("the value of " + a.Name)
			a.Value = Value{Pos: v.pos, Kind: StrValue, Str: v.text}
		case "virtual", "workers":
			v := p.take()
			if v.kind != tNum {
				p.failAt(&v, fmt.Sprintf("syntax error: %s, a number expected", v.describe()), "")
			}
			a.Value = Value{Pos: v.pos, Kind: IntValue, Int: v.num}
		default:
			detail := "attributes: bind name advertise agname virtual vrf workers"
			p.failAt(&n, fmt.Sprintf("unknown attribute %q of a socket", n.text), detail)
		}
		b.Attrs = append(b.Attrs, a)
	}
	p.add(b)
}

// ParseListenArg parses the argument of -l: [proto:]addr[:port][/advaddr[:port]][/name], addr may be (a,b) or [IPv6].
func ParseListenArg(arg string) (*Param, error) {
	par := &Param{Name: "listen"}
	parts := strings.Split(arg, "/")
	if len(parts) > 3 {
		return nil, fmt.Errorf("-l %s: more than two slashes", arg)
	}
	id, err := parseSocketArg(parts[0])
	if err != nil {
		return nil, fmt.Errorf("-l %s: %w", arg, err)
	}
	par.Sockets = []SocketID{id}
	if len(parts) == 3 {
		if par.SockName = parts[2]; par.SockName == "" {
			return nil, fmt.Errorf("-l %s: the name is empty", arg)
		}
	}
	if len(parts) > 1 && parts[1] != "" {
		adv, err := parseSocketArg(parts[1])
		if err != nil {
			return nil, fmt.Errorf("-l %s: advertised address: %w", arg, err)
		}
		par.Adv = &adv
	} else if len(parts) == 2 {
		return nil, fmt.Errorf("-l %s: the advertised address is empty", arg)
	}
	return par, nil
}

// ParseAliasArg parses the argument of --alias: [proto:]host[:port].
func ParseAliasArg(arg string) (*Param, error) {
	id, err := parseSocketArg(arg)
	if err != nil {
		return nil, fmt.Errorf("alias %s: %w", arg, err)
	}
	return &Param{Name: "alias", Sockets: []SocketID{id}}, nil
}

func parseSocketArg(s string) (SocketID, error) {
	var id SocketID
	if first, rest, ok := strings.Cut(s, ":"); ok {
		if proto, isProto := protoWord(first); isProto || first == "*" {
			id.Proto, s = proto, rest
		}
	}
	host, port := s, ""
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return id, errors.New("missing ]")
		}
		host, port = s[1:end], s[end+1:]
	case strings.HasPrefix(s, "("):
		end := strings.IndexByte(s, ')')
		if end < 0 {
			return id, errors.New("missing )")
		}
		host, port = "", s[end+1:]
		for h := range strings.SplitSeq(s[1:end], ",") {
			h = strings.Trim(strings.TrimSpace(h), "[]")
			if h == "" {
				return id, errors.New("empty address in the list")
			}
			id.Hosts = append(id.Hosts, h)
		}
	case strings.Count(s, ":") == 1:
		host, port, _ = strings.Cut(s, ":")
		port = ":" + port
	}
	if id.Hosts == nil {
		if host == "" {
			return id, errors.New("no address")
		}
		id.Hosts = []string{host}
	}
	if port != "" {
		digits, ok := strings.CutPrefix(port, ":")
		if digits == "*" {
			return id, nil
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if !ok || err != nil {
			return id, fmt.Errorf("bad port %q", digits)
		}
		id.Port = int(n)
	}
	return id, nil
}

// String is [proto:]host[:port[-portend]], IPv6 addresses in brackets, several hosts in parentheses.
func (s SocketID) String() string {
	var b strings.Builder
	if s.Proto != "" {
		b.WriteString(s.Proto + ":")
	}
	if len(s.Hosts) > 1 {
		b.WriteByte('(')
	}
	for i, h := range s.Hosts {
		if i > 0 {
			b.WriteByte(',')
		}
		if strings.Contains(h, ":") {
			h = "[" + h + "]"
		}
		b.WriteString(h)
	}
	if len(s.Hosts) > 1 {
		b.WriteByte(')')
	}
	if s.Port != 0 {
		fmt.Fprintf(&b, ":%d", s.Port)
	}
	if s.PortEnd != 0 {
		fmt.Fprintf(&b, "-%d", s.PortEnd)
	}
	return b.String()
}

package rr

import (
	"bytes"
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

func (m *mod) recordRoute(c *route.Ctx, a *route.Args) int {
	if c.RR.On {
		c.Logf(log.Err, "rr", "record_route: was already called for this request")
		return -1
	}
	if m.appendFromTag != 0 {
		if _, e := c.Msg.From(); e != sipparse.OK {
			c.Logf(log.Err, "rr", "record_route: %v", e)
			return -1
		}
	}
	if a.N > 0 {
		p, ok := a.Str(c, 0)
		if !ok {
			return -1
		}
		c.RR.Params = c.Scratch.Concat(p, c.RR.Params)
	}
	if m.addUsername != 0 {
		c.RR.User = m.username(c)
	}
	c.RR.On = true
	return 1
}

// username is the user of the Record-Route URI: what custom_user_avp holds, else the R-URI's; nil if there is none.
func (m *mod) username(c *route.Ctx) []byte {
	if m.user != nil {
		if v := m.user.Get(c); !v.IsNull() {
			if b := v.Text(c); len(b) > 0 {
				return c.Scratch.Copy(b)
			}
		}
	}
	if u, b, ok := c.ParsedRURI(); ok && !u.User.Empty() {
		return c.Scratch.Copy(u.User.In(b))
	}
	return nil
}

func (m *mod) preset(c *route.Ctx, a *route.Args) int {
	if c.RR.On {
		return -1
	}
	var lines []byte
	for i := range a.N {
		addr, ok := a.Str(c, i)
		if !ok {
			return -1
		}
		line := append(c.Scratch.Tail(len(addr)+512), "Record-Route: <sip:"...)
		line = append(line, addr...)
		line = m.appendFtag(c, line)
		line = append(line, c.RR.Params...)
		line = append(m.appendLR(line), ">\r\n"...)
		lines = c.Scratch.Concat(lines, c.Scratch.Keep(line))
	}
	c.RR.Preset, c.RR.On = lines, true
	return 1
}

func (m *mod) addParam(c *route.Ctx, a *route.Args) int {
	p, ok := a.Str(c, 0)
	if !ok || len(p) == 0 {
		return -1
	}
	if p[0] != ';' {
		p = c.Scratch.Concat([]byte(";"), p)
	}
	c.RR.Params = c.Scratch.Concat(c.RR.Params, p)
	if c.RR.Preset != nil { // the lines are there already
		end := []byte(">\r\n")
		var lines []byte
		for line := range bytes.SplitAfterSeq(c.RR.Preset, end) {
			if body, ok := bytes.CutSuffix(line, end); ok {
				lines = c.Scratch.Concat(lines, body, p, end)
			}
		}
		c.RR.Preset = lines
	}
	return 1
}

func (m *mod) removeRecordRoute(c *route.Ctx, _ *route.Args) int {
	on := c.RR.On
	c.RR = route.RecordRoute{}
	if on {
		return 1
	}
	return -1
}

// lines are the Record-Route lines for a request that leaves by out: one, or two when it leaves from another socket than it came in by;
// the one for the way it leaves stands on top.
func (m *mod) lines(c *route.Ctx, out *route.Socket) []byte {
	if c.RR.Preset != nil {
		return c.RR.Preset
	}
	in := c.Recv.Sock
	if c.RR.Adv != nil {
		return m.advertisedLines(c, in, out)
	}
	b := c.Scratch.Tail(512 + 2*len(c.RR.Params))
	if b == nil {
		return nil
	}
	two := m.enableDoubleRR == 2 || m.enableDoubleRR != 0 && in != out
	if two {
		b = m.appendLine(c, b, out, true)
	}
	return c.Scratch.Keep(m.appendLine(c, b, in, two))
}

func (m *mod) appendLine(c *route.Ctx, b []byte, s *route.Socket, two bool) []byte {
	b = append(append(append(b, "Record-Route: <"...), m.scheme(c)...), ':')
	if c.RR.User != nil {
		b = append(b, c.RR.User...)
		b = append(b, '@')
	}
	host, port, always := s.ViaHost()
	b = append(b, host...)
	if always || port != 5060 {
		b = append(b, ':')
		b = strconv.AppendUint(b, uint64(port), 10)
	}
	if s.Proto != sipparse.UDP {
		b = append(b, ";transport="...)
		b = append(b, s.Proto.String()...)
	}
	if m.socketNames != 0 && len(s.Name) > 0 {
		b = append(append(b, ";sn="...), s.Name...)
	}
	return m.appendTail(c, b, two)
}

// scheme is that of the Record-Route URI: the R-URI's, unless ignore_sips is set.
func (m *mod) scheme(c *route.Ctx) string {
	if m.ignoreSIPS == 0 {
		if u, _, ok := c.ParsedRURI(); ok && u.Scheme == sipparse.SchemeSIPS {
			return "sips"
		}
	}
	return "sip"
}

// appendTail appends r2, lr, ftag and further parameters and ends the line.
func (m *mod) appendTail(c *route.Ctx, b []byte, two bool) []byte {
	if two {
		b = append(b, ";r2=on"...)
	}
	b = m.appendLR(b)
	b = m.appendFtag(c, b)
	b = append(b, c.RR.Params...)
	return append(b, ">\r\n"...)
}

func (m *mod) appendLR(b []byte) []byte {
	b = append(b, ";lr"...)
	if m.enableFullLR != 0 {
		b = append(b, "=on"...)
	}
	return b
}

// appendFtag appends the From tag that is_direction compares with.
func (m *mod) appendFtag(c *route.Ctx, b []byte) []byte {
	if m.appendFromTag == 0 {
		return b
	}
	if f, e := c.Msg.From(); e == sipparse.OK && !f.Tag.Empty() {
		b = append(b, ";ftag="...)
		b = append(b, c.Msg.Bytes(f.Tag)...)
	}
	return b
}

// isDirection compares the ftag parameter of the followed Route entry with the From tag.
func (m *mod) isDirection(_ route.Env, a *route.Args) (func(*route.Ctx) int, error) {
	text, _ := a.ConstStr(0)
	up := false
	switch text {
	case "downstream":
	case "upstream":
		up = true
	default:
		return nil, errDirection
	}
	return func(c *route.Ctx) int {
		params, _ := routed(c)
		ftag, ok := sipparse.Param(params, "ftag")
		f, e := c.Msg.From()
		if !ok || len(ftag) == 0 || e != sipparse.OK {
			return boolRC(!up)
		}
		return boolRC(bytes.Equal(ftag, c.Msg.Bytes(f.Tag)) != up)
	}, nil
}

func boolRC(v bool) int {
	if v {
		return 1
	}
	return -1
}

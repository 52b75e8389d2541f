package pv

import (
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// parsed yields a URI with its text; ok is false when there is none or it is no URI.
type parsed func(c *route.Ctx) (u *sipparse.URI, text []byte, ok bool)

func ruri(c *route.Ctx) (*sipparse.URI, []byte, bool) {
	if c.Msg.Line.IsReply {
		return nil, nil, false
	}
	return c.ParsedRURI()
}

func ouri(c *route.Ctx) (*sipparse.URI, []byte, bool) {
	u, text, e := c.Msg.RURI()
	return u, text, e == sipparse.OK
}

func furi(c *route.Ctx) (*sipparse.URI, []byte, bool) {
	u, text, e := c.Msg.FromURI()
	return u, text, e == sipparse.OK
}

func turi(c *route.Ctx) (*sipparse.URI, []byte, bool) {
	u, text, e := c.Msg.ToURI()
	return u, text, e == sipparse.OK
}

func whole(of parsed) route.Getter {
	return func(c *route.Ctx) route.Value {
		_, b, ok := of(c)
		if !ok {
			return route.Null
		}
		return route.Str(b)
	}
}

func user(of parsed) route.Getter {
	return func(c *route.Ctx) route.Value {
		u, b, ok := of(c)
		if !ok {
			return route.Null
		}
		return text(u.User.In(b))
	}
}

func host(of parsed) route.Getter {
	return func(c *route.Ctx) route.Value {
		u, b, ok := of(c)
		if !ok {
			return route.Null
		}
		return text(u.Host.In(b))
	}
}

var txt5060, txt5061 = []byte("5060"), []byte("5061")

// port is the URI's port, or the default of its scheme and transport.
func port(of parsed) route.Getter {
	return func(c *route.Ctx) route.Value {
		u, b, ok := of(c)
		if !ok {
			return route.Null
		}
		return portOf(u, b)
	}
}

func portOf(u *sipparse.URI, b []byte) route.Value {
	if !u.PortText.Empty() {
		return route.StrInt(u.PortText.In(b), int64(u.Port))
	}
	if route.DefaultPort(u) == 5061 {
		return route.StrInt(txt5061, 5061)
	}
	return route.StrInt(txt5060, 5060)
}

func transport(of parsed) route.Getter {
	return func(c *route.Ctx) route.Value {
		u, b, ok := of(c)
		if !ok {
			return route.Null
		}
		return transportOf(u, b)
	}
}

func transportOf(u *sipparse.URI, b []byte) route.Value {
	if u.Transport.Empty() {
		return noTransport
	}
	return route.StrInt(u.Transport.In(b), int64(u.Proto))
}

// noTransport is upper case, as in Kamailio.
var noTransport = route.StrInt([]byte("UDP"), int64(sipparse.UDP))

var protoText = [...][]byte{{}, []byte("udp"), []byte("tcp"), []byte("tls"), []byte("sctp"), []byte("ws"), []byte("wss")}

func protoValue(p sipparse.Proto) route.Value { return route.StrInt(protoText[p], int64(p)) }

var schemes = [...]route.Value{
	sipparse.SchemeNone: route.Null,
	sipparse.SchemeSIP:  route.StrInt([]byte("sip"), 1),
	sipparse.SchemeSIPS: route.StrInt([]byte("sips"), 2),
	sipparse.SchemeTEL:  route.StrInt([]byte("tel"), 3),
	sipparse.SchemeTELS: route.StrInt([]byte("tels"), 4),
	sipparse.SchemeURN:  route.StrInt([]byte("urn"), 5),
}

func scheme(of parsed) route.Getter {
	return func(c *route.Ctx) route.Value {
		u, b, ok := of(c)
		if !ok {
			return route.Null
		}
		k := u.Scheme
		if c.P.Par.Phone2Tel && string(u.UserParam.In(b)) == "phone" {
			switch k {
			case sipparse.SchemeSIP:
				k = sipparse.SchemeTEL
			case sipparse.SchemeSIPS:
				k = sipparse.SchemeTELS
			}
		}
		return schemes[k]
	}
}

// length is the number of bytes of a part of a URI, 0 when it is absent; null when there is no URI.
func length(of parsed, part route.Getter) route.Getter {
	return func(c *route.Ctx) route.Value {
		if _, _, ok := of(c); !ok {
			return route.Null
		}
		return route.Int(int64(len(part(c).Str)))
	}
}

// setPart changes a part of the R-URI. empty says that "" and $null remove the part.
func setPart(p route.URIPart, empty, num bool) route.Setter {
	return func(c *route.Ctx, v route.Value) error {
		switch {
		case v.IsNull() && empty:
			return c.SetRURIPart(p, nil)
		case v.IsNull():
			return errNull
		case !isStr(v) && !num:
			return errWantString
		}
		return c.SetRURIPart(p, v.Text(c))
	}
}

func uriVars() []route.Var {
	setURI := func(c *route.Ctx, v route.Value) error {
		if !isStr(v) {
			return errWantString
		}
		return c.SetRURI(v.Str)
	}
	ru, rU, rd, ou := whole(ruri), user(ruri), host(ruri), whole(ouri)
	setUser, setHost := setPart(route.PartUser, true, false), setPart(route.PartHost, false, false)
	return []route.Var{
		{Name: "ru", Get: ru, Set: setURI, Doc: "R-URI"},
		{Name: "ruri", Get: ru, Set: setURI, Doc: "as $ru"},
		{Name: "rU", Get: rU, Set: setUser, Doc: "user of the R-URI; null if absent"},
		{Name: "ruri.user", Get: rU, Set: setUser, Doc: "as $rU"},
		{Name: "rd", Get: rd, Set: setHost, Doc: "host of the R-URI"},
		{Name: "ruri.domain", Get: rd, Set: setHost, Doc: "as $rd"},
		{Name: "rp", Get: port(ruri), Set: setPart(route.PartPort, true, true), Doc: "port of the R-URI, 5060 (5061) if absent"},
		get("rP", "transport of the R-URI, udp if absent", transport(ruri)),
		get("rz", "scheme of the R-URI; tel for a SIP URI with user=phone unless phone2tel is off", scheme(ruri)),
		get("rul", "length of the R-URI", length(ruri, ru)),
		get("rUl", "length of its user", length(ruri, rU)),
		get("ou", "R-URI as received", ou),
		get("ouri", "as $ou", ou),
		get("oU", "its user", user(ouri)),
		get("od", "its host", host(ouri)),
		get("op", "its port", port(ouri)),
		get("oP", "its transport", transport(ouri)),
		get("oUl", "length of its user", length(ouri, user(ouri))),
	}
}

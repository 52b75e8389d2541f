package corex

import (
	"bytes"
	"errors"
	"strings"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

var errNoParams = errors.New("it takes no parameters")

// failed is a transformation without a result: null, and nothing when it is printed.
var failed = route.Value{Flags: route.FlagNull | route.FlagStr}

// sockTrans are the parts of a socket's text, [proto:]host[:port], which need not be one of ours.
func sockTrans() route.Trans {
	parts := map[string]func(c *route.Ctx, s *sockText) []byte{
		"host":  func(_ *route.Ctx, s *sockText) []byte { return s.host },
		"port":  func(_ *route.Ctx, s *sockText) []byte { return s.port },
		"proto": func(_ *route.Ctx, s *sockText) []byte { return s.proto },
		"touri": func(c *route.Ctx, s *sockText) []byte {
			if len(s.host) == 0 {
				return []byte{}
			}
			b := append(append(c.Scratch.Tail(len(s.host)+64), "sip:"...), s.host...)
			if len(s.port) > 0 {
				b = append(append(b, ':'), s.port...)
			}
			if len(s.proto) > 0 {
				b = append(append(b, ";transport="...), s.proto...)
			}
			return c.Scratch.Keep(b)
		},
	}
	return route.Trans{Class: "sock", Methods: []route.TransMethod{{Name: "host", Doc: "host of a socket"}, {Name: "port", Doc: "port of a socket"},
		{Name: "proto", Doc: "transport of a socket"}, {Name: "touri", Doc: "the SIP URI of a socket"}}, Doc: "parts of a socket: [proto:]host[:port]",
		Bind: func(_ route.Env, method string, a *route.TransArgs) (func(*route.Ctx, route.Value) route.Value, error) {
			if strings.TrimSpace(a.Raw) != "" {
				return nil, errNoParams
			}
			f := parts[method]
			return func(c *route.Ctx, v route.Value) route.Value {
				var s sockText
				if v.IsNull() || !s.parse(v.Text(c)) {
					return failed
				}
				return route.Str(f(c, &s))
			}, nil
		}}
}

type sockText struct{ proto, host, port []byte }

// protoOf knows the transports that a text may begin with; with others Kamailio yields nothing.
func protoOf(b []byte) bool {
	for _, p := range [...]sipparse.Proto{sipparse.UDP, sipparse.TCP} {
		if strings.EqualFold(p.String(), string(b)) {
			return true
		}
	}
	return false
}

func (s *sockText) parse(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if i := bytes.IndexByte(b, ':'); i > 0 && protoOf(b[:i]) {
		s.proto, b = b[:i], b[i+1:]
	}
	s.host = b
	at := 0
	if len(b) > 0 && b[0] == '[' {
		if at = bytes.IndexByte(b, ']') + 1; at == 0 {
			return false
		}
	}
	if i := bytes.IndexByte(b[at:], ':'); i >= 0 {
		s.host, s.port = b[:at+i], b[at+i+1:]
		if len(s.port) == 0 {
			return false
		}
		for _, ch := range s.port {
			if ch-'0' > 9 {
				return false
			}
		}
	} else if at > 0 && at != len(b) {
		return false
	}
	return true
}

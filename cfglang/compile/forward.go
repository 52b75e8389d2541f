package compile

import (
	"fmt"
	"strconv"
	"strings"

	"kahea/cfglang/route"
	"kahea/cfglang/syntax"
	"kahea/sipparse"
)

// forward compiles forward() and forward_udp/tcp/tls(): the host is $du or the R-URI, a constant, or uri:host.
func (k *Compiler) forward(x *syntax.Call) route.Stmt {
	var force sipparse.Proto
	if _, p, ok := strings.Cut(x.Name, "_"); ok {
		force, _ = sipparse.ParseProto([]byte(p))
	}
	if force == sipparse.SCTP {
		k.d.Errorf(x.Pos, "%s: SCTP is not there yet", x.Name)
		return nil
	}
	if len(x.Args) > 2 || len(x.Args) == 0 && force != sipparse.ProtoNone {
		k.d.Errorf(x.Pos, "%s: got %s", x.Name, count(len(x.Args)))
		return nil
	}
	var host []byte
	var port uint16
	portOfURI := false
	if len(x.Args) > 0 {
		switch a := x.Args[0].(type) {
		case *syntax.URIPart:
		case *syntax.StrLit:
			host = []byte(a.Val)
		case *syntax.Addr:
			host = []byte(a.Text)
		default:
			panic(fmt.Sprintf("compile: host %T", a)) // the parser makes no other
		}
		// "host:port" in one string
		if i := strings.LastIndexByte(string(host), ':'); i > 0 && !strings.Contains(string(host[:i]), ":") || i > 0 && host[i-1] == ']' {
			n, err := strconv.ParseUint(string(host[i+1:]), 10, 16)
			if err != nil {
				k.d.Errorf(x.Args[0].Position(), "%s: %q is no host:port", x.Name, host)
				return nil
			}
			host, port = host[:i], uint16(n)
		}
	}
	if len(x.Args) > 1 {
		switch a := x.Args[1].(type) {
		case *syntax.URIPart:
			portOfURI = true
		case *syntax.IntLit:
			if a.Val < 0 || a.Val > 65535 {
				k.d.Errorf(a.Pos, "%s: port %d is not in 0 to 65535", x.Name, a.Val)
				return nil
			}
			port = uint16(a.Val)
		default:
			panic(fmt.Sprintf("compile: port %T", a))
		}
	}
	none := len(x.Args) == 0
	return func(c *route.Ctx) int {
		var t route.Target
		var err error
		if none {
			t, err = c.NextHop()
		} else if host == nil || portOfURI {
			t, err = c.P.URITarget(c.RURI())
		}
		if err != nil {
			c.SetError(route.Status(err))
			c.Error("forward: %v", err)
			return -1
		}
		if !none {
			if host != nil {
				t.Host = host
			}
			if !portOfURI {
				t.Port = port
			}
			t.Proto = sipparse.UDP
		}
		if force != sipparse.ProtoNone {
			t.Proto = force
		}
		return c.Forward(t)
	}
}

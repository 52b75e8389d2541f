package corex

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"kahea/cfglang/core"
	"kahea/modules"
	"kahea/sipparse"
)

var errInner = errors.New("inner name is not there: line, name and file are")

// subdomain is an alias with all names below it.
type subdomain struct {
	proto sipparse.Proto
	host  []byte // in lower case
	port  uint16
}

func (m *mod) addSubdomain(v modules.Value) error {
	proto, host, port, err := core.SplitSocket(v.Str)
	if err != nil {
		return fmt.Errorf("alias_subdomains: %w", err)
	}
	m.domains = append(m.domains, subdomain{proto, bytes.ToLower(host), port})
	return nil
}

// isOurs is asked by route.Net.IsMyself.
func (m *mod) isOurs(host []byte, port uint16, proto sipparse.Proto) bool {
	for i := range m.domains {
		d := &m.domains[i]
		if port != 0 && d.port != 0 && port != d.port || proto != sipparse.ProtoNone && d.proto != sipparse.ProtoNone && proto != d.proto {
			continue
		}
		n := len(host) - len(d.host)
		if n >= 0 && bytes.EqualFold(host[n:], d.host) && (n == 0 || host[n-1] == '.') {
			return true
		}
	}
	return false
}

func (m *mod) listSockets(r *modules.Request) error {
	for _, s := range m.h.Net.Sockets {
		n := r.AddStruct()
		n.AddStr("PROTO", s.Proto.String())
		n.AddStr("NAME", string(s.Host))
		n.AddStruct("ADDRLIST").AddStr("ADDR", s.Addr.Addr().String())
		n.AddStr("PORT", fmt.Sprint(s.Addr.Port()))
		n.AddStr("MCAST", "no")
		n.AddStr("MHOMED", "no")
		n.AddStr("VIRTUAL", "no")
		n.AddStr("SOCKNAME", orDash(string(s.Name)))
		adv := string(s.AdvHost)
		if adv != "" && s.AdvPort != 0 {
			adv += fmt.Sprintf(":%d", s.AdvPort)
		}
		n.AddStr("ADVERTISE", orDash(adv))
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (m *mod) listAliases(r *modules.Request) error {
	l := m.h.Net.Aliases
	for i := len(l) - 1; i >= 0; i-- { // the last one first, as Kamailio lists them
		n := r.AddStruct()
		proto := "*"
		if l[i].Proto != sipparse.ProtoNone {
			proto = strings.ToLower(l[i].Proto.String())
		}
		n.AddStr("PROTO", proto)
		n.AddStr("ADDR", string(l[i].Host))
		n.AddInt("PORT", int64(l[i].Port))
	}
	return nil
}

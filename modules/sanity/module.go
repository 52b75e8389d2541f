// Package sanity checks requests for what would confuse those behind us, and answers what fails.
package sanity

import (
	"errors"
	"fmt"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
)

func init() {
	modules.Register("sanity", func() modules.Module {
		return &mod{defaultChecks: 3047, uriChecks: 7, autodrop: 1}
	})
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
)

type mod struct {
	defaultChecks int
	uriChecks     int
	autodrop      int
	noreply       int
	proxyRequire  string
	supported     [][]byte // items of proxyRequire
	sl            replier
}

// replier is what sanity needs of sl.
type replier interface {
	SendReply(c *route.Ctx, code int, reason []byte) int
}

func (m *mod) Exports() modules.Exports {
	p := []modules.Param{
		{Name: "default_checks", Int: &m.defaultChecks, Min: 1, Max: maxChecks, Doc: "sum of the checks of sanity_check() without parameter; 3047"},
		{Name: "uri_checks", Int: &m.uriChecks, Min: 1, Max: maxURIChecks, Doc: "sum of the URIs that check 1024 parses: 1 R-URI, 2 From, 4 To, 8 Contact; 7"},
		{Name: "proxy_require", Str: &m.proxyRequire, Doc: "option tags that Proxy-Require may have, separated by commas; none"},
		{Name: "autodrop", Int: &m.autodrop, Max: 1, Doc: "1: the script ends when a check fails; 0: sanity_check returns false; 1"},
		{Name: "noreply", Int: &m.noreply, Max: 1, Doc: "1: the reply is sent by sanity_reply() only; 0"},
	}
	for _, s := range []struct {
		name string
		dflt int
	}{{"size_checks", 0}, {"size_message", 16384}, {"size_method", 32}, {"size_ruri", 256}, {"size_from_uri", 256}, {"size_to_uri", 256},
		{"size_contact_uri", 256}, {"size_route_uri", 256}, {"size_path_uri", 256}, {"size_pai_uri", 256}, {"size_header", 2048},
		{"size_headers", 8192}, {"size_body", 8192}} {
		p = append(p, modules.Param{Name: s.name, Type: modules.IntParam, Doc: "checks of sizes are not there yet", Func: func(v modules.Value) error {
			if v.Int != s.dflt {
				return errSizes
			}
			return nil
		}})
	}
	return modules.Exports{
		Params: p,
		Funcs: []route.Func{
			{Name: "sanity_check", Args: "|ii", From: route.InRequest | route.AnyReply, Run: m.check, Doc: "run the checks of a sum of bits; answers and ends the script (or returns false) when one fails"},
			{Name: "sanity_reply", From: route.InRequest | route.AnyReply, Run: m.reply, Doc: "send the reply that the last failed check decided on"},
		},
	}
}

var errSizes = errors.New("checks of sizes are not there yet")

func (m *mod) Setup(h *modules.Host) error {
	var ok bool
	if m.sl, ok = h.Find("sl").(replier); !ok {
		return fmt.Errorf("module sl must be loaded")
	}
	m.supported = splitTags([]byte(m.proxyRequire))
	return nil
}

// ext is the module's slot of Ctx.Ext: the index of the last failure, 0 if none.
const ext = 5

func (m *mod) check(c *route.Ctx, a *route.Args) int {
	checks, uris := int64(m.defaultChecks), int64(m.uriChecks)
	for i, p := range []*int64{&checks, &uris} {
		if i >= a.N {
			break
		}
		n, ok := a.Int(c, i)
		limit := int64(maxChecks)
		if i == 1 {
			limit = maxURIChecks
		}
		if !ok || n < 1 || n > limit {
			c.Logf(log.Err, "sanity", "sanity_check: got checks %d, want 1 to %d", n, limit)
			return -1
		}
		*p = n
	}
	f := m.run(c, uint32(checks), uint32(uris))
	if f == good {
		return 1
	}
	c.Ext[ext] = uint64(f)
	if m.noreply == 0 {
		m.send(c, f)
	}
	if m.autodrop != 0 {
		return 0
	}
	return -1
}

func (m *mod) send(c *route.Ctx, f failure) {
	if c.Msg.Line.IsReply || failures[f].code == 0 {
		return
	}
	m.sl.SendReply(c, failures[f].code, failures[f].reason)
}

func (m *mod) reply(c *route.Ctx, _ *route.Args) int {
	f := failure(c.Ext[ext])
	if c.Msg.Line.IsReply {
		return 1
	}
	if f == good {
		return m.sl.SendReply(c, 500, []byte("Server Sanity Failure"))
	}
	if failures[f].code == 0 {
		return 1
	}
	return m.sl.SendReply(c, failures[f].code, failures[f].reason)
}

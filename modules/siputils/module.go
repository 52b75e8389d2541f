// Package siputils has tests of SIP messages, URIs and numbers, and small helpers for them.
package siputils

import (
	"bytes"
	"errors"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/sipparse"
)

func init() {
	modules.Register("siputils", func() modules.Module {
		return &mod{accept: "*/*", language: "en", maxE164: 16}
	})
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
)

type mod struct {
	accept, encoding, language, support string
	maxE164                             int
	sl                                  replier
}

// replier is what siputils needs of sl.
type replier interface {
	SendReply(c *route.Ctx, code int, reason []byte) int
}

const requestRoutes = route.InRequest | route.InFailure | route.InBranch

func (m *mod) Exports() modules.Exports {
	test := func(name, args, doc string, f func(c *route.Ctx, a *route.Args) bool) route.Func {
		return route.Func{Name: name, Args: args, From: route.AnyRoute, Doc: doc, Run: func(c *route.Ctx, a *route.Args) int { return truth(f(c, a)) }}
	}
	made := func(name, args, doc string, f func(b, set []byte) int) route.Func {
		return route.Func{Name: name, Args: args, From: route.AnyRoute, Doc: "the text is made of " + doc + "; negative: it is not, or is empty", Run: func(c *route.Ctx, a *route.Args) int {
			b, ok := a.Str(c, 0)
			if !ok {
				return -2
			}
			var set []byte
			if a.N > 1 {
				if set, ok = a.Str(c, 1); !ok {
					return -2
				}
			}
			return f(b, set)
		}}
	}
	return modules.Exports{
		Params: []modules.Param{
			{Name: "options_accept", Str: &m.accept, Doc: `Accept of options_reply, "*/*"`},
			{Name: "options_accept_encoding", Str: &m.encoding, Doc: "Accept-Encoding of options_reply, empty"},
			{Name: "options_accept_language", Str: &m.language, Doc: `Accept-Language of options_reply, "en"`},
			{Name: "options_support", Str: &m.support, Doc: "Supported of options_reply, empty"},
			{Name: "e164_max_len", Int: &m.maxE164, Min: 1, Max: 64, Doc: "longest E.164 number, the + included; 16"},
			notYet("contact_flds_separator", "*"), notYet("rpid_prefix", ""), notYet("rpid_suffix", ";party=calling;id-type=subscriber;screen=yes"),
			notYet("rpid_avp", "$avp(s:rpid)"),
		},
		Funcs: []route.Func{
			{Name: "options_reply", From: route.InRequest, Run: m.optionsReply, Doc: "answer OPTIONS without user with 200 and what is supported"},
			test("has_totag", "", "To has a tag", func(c *route.Ctx, _ *route.Args) bool {
				n, e := c.Msg.To()
				return e == sipparse.OK && !n.Tag.Empty()
			}),
			test("is_request", "", "the message is a request", func(c *route.Ctx, _ *route.Args) bool { return !c.Msg.Line.IsReply }),
			test("is_reply", "", "the message is a reply", func(c *route.Ctx, _ *route.Args) bool { return c.Msg.Line.IsReply }),
			{Name: "is_first_hop", Args: "|I", From: route.AnyRoute, Compile: compileFirstHop, Doc: "a request has one Via; the first Record-Route of a reply is ours"},
			{Name: "uri_param", Args: "S|S", From: requestRoutes, Run: uriParam, Doc: "the R-URI has the parameter (with the value)"},
			{Name: "uri_param_any", Args: "s", From: requestRoutes, Run: uriParamAny, Doc: "the R-URI has the parameter, with or without value"},
			{Name: "add_uri_param", Args: "s", From: route.InRequest, Run: addURIParam, Doc: "append a parameter to the R-URI"},
			{Name: "get_uri_param", Args: "sP", From: route.InRequest | route.InLocal, Run: getURIParam, Doc: "store an R-URI parameter in a variable"},
			{Name: "uri_param_rm", Args: "s", From: requestRoutes, Run: rmURIParam, Doc: "remove an R-URI parameter"},
			{Name: "tel2sip", Args: "ssP", From: requestRoutes | route.AnyReply, Run: tel2sip, Doc: "make a sip: URI at a host of a tel: URI"},
			test("is_uri", "s", "the text is a SIP or tel URI", func(c *route.Ctx, a *route.Args) bool {
				b, ok := a.Str(c, 0)
				var u sipparse.URI
				return ok && len(b) > 0 && sipparse.ParseURI(b, &u) == sipparse.OK
			}),
			test("is_e164", "s", "+ and digits", func(c *route.Ctx, a *route.Args) bool {
				b, ok := a.Str(c, 0)
				return ok && m.isE164(b)
			}),
			test("is_uri_user_e164", "s", "the user of the URI is + and digits", func(c *route.Ctx, a *route.Args) bool {
				b, ok := a.Str(c, 0)
				var u sipparse.URI
				return ok && sipparse.ParseURI(b, &u) == sipparse.OK && u.Scheme != sipparse.SchemeTEL && m.isE164(u.User.In(b))
			}),
			{Name: "cmp_uri", Args: "ss", From: route.AnyRoute, Doc: "two URIs are equal; -2: one of them is no URI", Run: func(c *route.Ctx, a *route.Args) int { return cmpArgs(c, a, sameURI) }},
			{Name: "cmp_aor", Args: "ss", From: route.AnyRoute, Doc: "user, host and port of two URIs are equal; -2: one of them is no URI", Run: func(c *route.Ctx, a *route.Args) int { return cmpArgs(c, a, sameAOR) }},
			test("cmp_hdr_name", "ss", "two header names mean the same field", cmpHdrName),
			{Name: "set_uri_user", Args: "Ps", From: route.AnyRoute, Run: setURIUser, Doc: "replace the user of the URI in a variable"},
			{Name: "set_uri_host", Args: "Ps", From: route.AnyRoute, Run: setURIHost, Doc: "replace the host of the URI in a variable"},
			made("is_tel_number", "s", "an optional + and digits", func(b, _ []byte) int {
				if len(b) > 0 && b[0] == '+' {
					b = b[1:]
				}
				return all(b, -2, isDigit)
			}),
			made("is_numeric", "s", "digits", func(b, _ []byte) int { return all(b, -2, isDigit) }),
			made("is_alphanum", "s", "letters and digits", func(b, _ []byte) int { return all(b, -3, isAlnum) }),
			made("is_alphanumex", "ss", "letters, digits and the characters given", func(b, set []byte) int {
				return all(b, -3, func(ch byte) bool { return isAlnum(ch) || bytes.IndexByte(set, ch) >= 0 })
			}),
			test("is_supported", "S", "Supported has the option tag", isSupported),
			{Name: "is_gruu", Args: "|s", From: route.AnyRoute, Run: isGRUU, Doc: "the URI (the R-URI) is a GRUU: 1 public, 2 temporary"},
			test("sip_parse_headers", "", "all header fields can be read", func(c *route.Ctx, _ *route.Args) bool { return c.Msg.Complete() == sipparse.OK }),
			{Name: "hdr_date_check", Args: "i", From: route.AnyRoute, Run: dateCheck, Doc: "Date differs from now by no more than that many seconds"},
		},
	}
}

var errNotYet = errors.New("not there yet")

// notYet is a parameter of functions that are not there.
func notYet(name, dflt string) modules.Param {
	return modules.Param{Name: name, Type: modules.StrParam, Doc: "not there yet", Func: func(v modules.Value) error {
		if v.Str != dflt {
			return errNotYet
		}
		return nil
	}}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

func (m *mod) Setup(h *modules.Host) error {
	m.sl, _ = h.Find("sl").(replier) // only options_reply needs it
	return nil
}

var errMode = errors.New("mode must be 0: the check of addresses is not there yet")

func compileFirstHop(_ route.Env, a *route.Args) (func(c *route.Ctx) int, error) {
	if a.N > 0 && a.At(0).Num != 0 {
		return nil, errMode
	}
	return func(c *route.Ctx) int { return truth(firstHop(c)) }, nil
}

func firstHop(c *route.Ctx) bool {
	if !c.Msg.Line.IsReply {
		_, e := c.Msg.Via2()
		return e != sipparse.OK
	}
	v := c.Msg.Values(sipparse.HdrRecordRoute)
	if ok, e := v.Next(); !ok {
		return e == sipparse.OK
	}
	var u sipparse.URI
	b := c.Msg.Bytes(v.URI)
	return sipparse.ParseURI(b, &u) == sipparse.OK && c.P.MyselfURI(&u, b)
}

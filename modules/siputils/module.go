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
		return &mod{accept: "*/*", language: "en", maxE164: 16, contactSep: "*", rpidSuffix: ";party=calling;id-type=subscriber;screen=yes", rpidAVP: "$avp(s:rpid)"}
	})
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
)

type mod struct {
	accept, encoding, language, support string
	contactSep                          string // one character
	rpidPrefix, rpidSuffix, rpidAVP     string
	maxE164                             int
	sl                                  replier
	auth                                verifier
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
			{Name: "contact_flds_separator", Doc: `character between the fields that encode_contact makes, "*"`, Func: func(v modules.Value) error {
				if len(v.Str) != 1 {
					return errSeparator
				}
				m.contactSep = v.Str
				return nil
			}},
			{Name: "rpid_prefix", Str: &m.rpidPrefix, Doc: "what stands before the value in Remote-Party-ID, empty"},
			{Name: "rpid_suffix", Str: &m.rpidSuffix, Doc: `what stands behind it, ";party=calling;id-type=subscriber;screen=yes"`},
			{Name: "rpid_avp", Str: &m.rpidAVP, Doc: `variable with the value of Remote-Party-ID, "$avp(s:rpid)"`},
		},
		Funcs: []route.Func{
			{Name: "options_reply", From: route.InRequest, Run: m.optionsReply, Doc: "answer OPTIONS without user with 200 and what is supported"},
			test("has_totag", "", "To has a tag", func(c *route.Ctx, _ *route.Args) bool {
				n, e := c.Msg.To()
				return e == sipparse.OK && !n.Tag.Empty()
			}),
			test("is_request", "", "the message is a request", func(c *route.Ctx, _ *route.Args) bool { return !c.Msg.Line.IsReply }),
			test("is_reply", "", "the message is a reply", func(c *route.Ctx, _ *route.Args) bool { return c.Msg.Line.IsReply }),
			test("is_sip", "", "the message is SIP", func(c *route.Ctx, _ *route.Args) bool { return c.Msg.Line.IsReply || c.Msg.Line.IsSIP }),
			test("is_http", "", "the message is HTTP", func(c *route.Ctx, _ *route.Args) bool {
				return bytes.HasPrefix(c.Msg.Bytes(c.Msg.Line.Version), []byte("HTTP/"))
			}),
			{Name: "is_first_hop", Args: "|i", From: route.AnyRoute, Run: isFirstHop, Doc: "a request has one Via; the first Record-Route of a reply is ours and, with 1, not where the reply came from"},
			{Name: "uri_param", Args: "S|S", From: requestRoutes, Run: uriParam, Doc: "the R-URI has the parameter (with the value)"},
			{Name: "uri_param_any", Args: "s", From: requestRoutes, Run: uriParamAny, Doc: "the R-URI has the parameter, with or without value"},
			{Name: "add_uri_param", Args: "s", From: route.InRequest, Run: addURIParam, Doc: "append a parameter to the R-URI"},
			{Name: "get_uri_param", Args: "sP", From: route.InRequest | route.InLocal, Run: getURIParam, Doc: "store an R-URI parameter in a variable"},
			{Name: "uri_param_rm", Args: "s", From: requestRoutes, Run: rmURIParam, Doc: "remove an R-URI parameter"},
			{Name: "tel2sip", Args: "ssP", From: requestRoutes | route.AnyReply, Run: tel2sip, Doc: "make a sip: URI at a host of a tel: URI"},
			{Name: "tel2sip2", Args: "ssP", From: requestRoutes | route.AnyReply, Run: tel2sip2, Doc: "tel2sip, with the parameters in the order of RFC 3261 19.1.6"},
			{Name: "is_user", Args: "s", From: route.InRequest | route.InLocal, Run: m.isUser, Doc: "the user whose credentials a module has verified; false when none has"},
			test("is_uri", "s", "the text is a SIP or tel URI", func(c *route.Ctx, a *route.Args) bool {
				b, ok := a.Str(c, 0)
				var u sipparse.URI
				return ok && len(b) > 0 && c.P.Par.Grammar.ParseURI(b, &u) == sipparse.OK
			}),
			test("is_e164", "s", "+ and digits", func(c *route.Ctx, a *route.Args) bool {
				b, ok := a.Str(c, 0)
				return ok && m.isE164(b)
			}),
			test("is_uri_user_e164", "s", "the user of the URI is + and digits", func(c *route.Ctx, a *route.Args) bool {
				b, ok := a.Str(c, 0)
				var u sipparse.URI
				return ok && c.P.Par.Grammar.ParseURI(b, &u) == sipparse.OK && u.Scheme != sipparse.SchemeTEL && m.isE164(u.User.In(b))
			}),
			{Name: "cmp_uri", Args: "ss", From: route.AnyRoute, Doc: "two URIs are equal; -2: one of them is no URI", Run: func(c *route.Ctx, a *route.Args) int { return cmpArgs(c, a, sameURI) }},
			{Name: "cmp_aor", Args: "ss", From: route.AnyRoute, Doc: "user, host and port of two URIs are equal; -2: one of them is no URI", Run: func(c *route.Ctx, a *route.Args) int { return cmpArgs(c, a, sameAOR) }},
			{Name: "cmp_hdr_name", Args: "ss", From: route.AnyRoute, Run: cmpHdrName, Doc: "two header names mean the same field; -2: two unknown ones differ"},
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
			{Name: "encode_contact", Args: "ss", From: route.InRequest | route.AnyReply, Run: m.encodeContact, Doc: "pack each Contact into the user part of a URI: prefix and address"},
			{Name: "decode_contact", From: route.InRequest, Run: m.decodeContact, Doc: "the R-URI that encode_contact has made becomes what it was made of"},
			{Name: "decode_contact_header", From: route.InRequest | route.InFailure | route.AnyReply, Run: m.decodeContactHeader, Doc: "the same for each Contact"},
			{Name: "contact_param_encode", Args: "ss", From: route.InRequest | route.AnyReply, Run: encodeParam(false), Doc: "each Contact becomes the given URI with the old one in a parameter"},
			{Name: "contact_param_encode_alias", Args: "ss", From: route.InRequest | route.AnyReply, Run: encodeParam(true), Doc: "the same; the old one gets alias=ip~port~proto of the source first"},
			{Name: "contact_param_decode", Args: "s", From: route.InRequest | route.AnyReply, Run: decodeParam, Doc: "each Contact becomes what the parameter holds"},
			{Name: "contact_param_decode_ruri", Args: "s", From: route.InRequest, Run: decodeParamRURI, Doc: "the R-URI becomes what its parameter holds"},
			{Name: "contact_param_rm", Args: "s", From: route.InRequest | route.AnyReply, Run: removeParam, Doc: "remove the parameter from each Contact"},
			test("contact_param_check", "s", "a Contact has the parameter", hasParam),
			{Name: "is_rpid_user_e164", From: route.InRequest, Compile: m.compileRPID(m.rpidUserE164), Doc: "the user of the URI in rpid_avp is + and digits"},
			{Name: "append_rpid_hf", Args: "|SS", From: requestRoutes, Compile: m.compileRPID(m.appendRPID), Doc: "add Remote-Party-ID: rpid_avp between prefix and suffix"},
			{Name: "sip_p_charging_vector", Args: "s", From: route.AnyRoute, Run: pChargingVector, Doc: "P-Charging-Vector: r remove, g generate if there is none, f generate"},
			{Name: "is_gruu", Args: "|s", From: route.AnyRoute, Run: isGRUU, Doc: "the URI (the R-URI) is a GRUU: 1 public, 2 temporary"},
			test("sip_parse_headers", "", "all header fields can be read", func(c *route.Ctx, _ *route.Args) bool { return c.Msg.Complete() == sipparse.OK }),
			{Name: "hdr_date_check", Args: "i", From: route.AnyRoute, Run: dateCheck, Doc: "Date differs from now by no more than that many seconds"},
		},
		Vars: []route.Var{{Name: "pcv", Bind: bindVector, Doc: "P-Charging-Vector: all, value, genaddr, orig, term; null if it has no icid-value"}},
	}
}

var errSeparator = errors.New("want one character")

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

func (m *mod) Setup(h *modules.Host) error {
	m.sl, _ = h.Find("sl").(replier)      // only options_reply needs it
	m.auth, _ = h.Find("auth").(verifier) // and is_user this one
	return nil
}

func isFirstHop(c *route.Ctx, a *route.Args) int {
	mode, ok := int64(0), true
	if a.N > 0 {
		mode, ok = a.Int(c, 0)
	}
	return truth(ok && firstHop(c, mode == 1))
}

func firstHop(c *route.Ctx, notLooped bool) bool {
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
	if c.P.Par.Grammar.ParseURI(b, &u) != sipparse.OK || !c.P.MyselfURI(&u, b) {
		return false
	}
	ip, ok := route.ParseAddr(u.Host.In(b))
	return !(notLooped && ok && ip == c.Recv.Src.Addr() && route.DefaultPort(&u) == c.Recv.Src.Port())
}

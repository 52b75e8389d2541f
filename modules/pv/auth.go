package pv

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// credentials parses Authorization, or Proxy-Authorization if there is none.
func credentials(c *route.Ctx, a *sipparse.Auth) bool {
	h := c.Msg.First(sipparse.HdrProxyAuthorization)
	if h == nil {
		h = c.Msg.First(sipparse.HdrAuthorization)
	}
	if h == nil || sipparse.ParseAuth(c.Msg.Buf, h.Body, a) != sipparse.OK {
		return false
	}
	return bytes.EqualFold(c.Msg.Bytes(a.Scheme), digest) && a.Scheme.End() < h.Body.End() // another scheme has none of this
}

func authVars() []route.Var {
	part := func(f func(a *sipparse.Auth) sipparse.Span) route.Getter {
		return func(c *route.Ctx) route.Value {
			var a sipparse.Auth
			if !credentials(c, &a) {
				return route.Null
			}
			return route.Str(c.Msg.Bytes(f(&a))) // absent from credentials that are there: empty
		}
	}
	return []route.Var{
		get("au", "user part of the credentials' username", part(func(a *sipparse.Auth) sipparse.Span { return a.UserName })),
		get("ar", "realm", part(func(a *sipparse.Auth) sipparse.Span { return a.Realm })),
		get("aU", "whole username", part(func(a *sipparse.Auth) sipparse.Span { return a.Username })),
		get("ad", "domain part of the username", part(func(a *sipparse.Auth) sipparse.Span { return a.UserDomain })),
		get("adu", "uri of the credentials", func(c *route.Ctx) route.Value {
			var a sipparse.Auth
			if !credentials(c, &a) {
				return route.Null
			}
			return text(c.Msg.Bytes(a.URI))
		}),
		get("aa", "algorithm", part(func(a *sipparse.Auth) sipparse.Span { return a.Algorithm })),
		get("adn", "nonce", part(func(a *sipparse.Auth) sipparse.Span { return a.Nonce })),
		get("adc", "cnonce", part(func(a *sipparse.Auth) sipparse.Span { return a.Cnonce })),
		get("adr", "response", part(func(a *sipparse.Auth) sipparse.Span { return a.Response })),
		get("ado", "opaque", part(func(a *sipparse.Auth) sipparse.Span { return a.Opaque })),
		get("Au", "account: username@realm of the credentials, else user@host of From", func(c *route.Ctx) route.Value {
			var a sipparse.Auth
			if credentials(c, &a) && !a.Username.Empty() {
				if !a.UserDomain.Empty() {
					return route.Str(c.Msg.Bytes(a.Username))
				}
				return route.Str(c.Scratch.Concat(c.Msg.Bytes(a.Username), at, c.Msg.Bytes(a.Realm)))
			}
			u, b, ok := furi(c)
			if !ok {
				return route.Null
			}
			return route.Str(c.Scratch.Concat(u.User.In(b), at, u.Host.In(b)))
		}),
		get("AU", "account: user of the credentials, else of From", func(c *route.Ctx) route.Value {
			var a sipparse.Auth
			if credentials(c, &a) && !a.Username.Empty() {
				return text(c.Msg.Bytes(a.UserName))
			}
			u, b, ok := furi(c)
			if !ok {
				return route.Null
			}
			return route.Str(u.User.In(b))
		}),
	}
}

var at, digest = []byte("@"), []byte("Digest")

package core

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"kahea/cfglang/pv"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

func currentURI(c *route.Ctx) ([]byte, bool) {
	if c.Msg.Line.IsReply {
		return nil, false
	}
	return c.RURI(), true
}

func destinationURI(c *route.Ctx) ([]byte, bool) { return opt(c.DstURI), true }

func nextHopURI(c *route.Ctx) ([]byte, bool) {
	if len(c.DstURI) > 0 {
		return c.DstURI, true
	}
	return currentURI(c)
}

func uriRoot(text element) resolver {
	return func(_ *Selects, root component, rest []component) (element, error) {
		if root.hasIdx {
			return nil, errSelectIndex(root)
		}
		return uriSelect(root, rest, text)
	}
}

func nextHopSelect(s *Selects, root component, rest []component) (element, error) {
	if len(rest) == 0 || rest[0].key() != "src_ip" {
		return uriRoot(nextHopURI)(s, root, rest)
	}
	if err := alone(rest[0], rest[1:]); err != nil {
		return nil, err
	}
	return func(c *route.Ctx) ([]byte, bool) {
		t, err := c.NextHop()
		if err != nil {
			return nil, false
		}
		d, err := c.Resolve(t, c.Main.ForceSock)
		if err != nil || d.Sock == nil {
			return nil, true
		}
		return addrText(c, d.Sock.Addr.Addr(), false), true
	}, nil
}

// uriSelect yields a URI or one of its parts.
func uriSelect(of component, rest []component, text element) (element, error) {
	if len(rest) == 0 {
		return text, nil
	}
	part, rest := rest[0], rest[1:]
	if part.key() == "params" && len(rest) > 0 {
		return paramSelect(part, rest, uriPart(text, func(_ *route.Ctx, u *sipparse.URI, b []byte) []byte {
			if u.Params.Empty() {
				return u.TelParams.In(b)
			}
			return u.Params.In(b)
		}))
	}
	f := uriParts[part.key()]
	if f == nil {
		return nil, fmt.Errorf("%w of %s", &pv.UnknownError{What: "part", Name: part.name, Known: append(slices.Sorted(maps.Keys(uriParts)), "params")}, of.name)
	}
	if err := alone(part, rest); err != nil {
		return nil, err
	}
	if part.key() == "host" {
		return uriPart(text, f), nil // a telephone number's is an empty text
	}
	return uriPart(text, func(c *route.Ctx, u *sipparse.URI, b []byte) []byte { return opt(f(c, u, b)) }), nil
}

func uriPart(text element, f func(c *route.Ctx, u *sipparse.URI, b []byte) []byte) element {
	u := new(sipparse.URI) // of the program, for the time of one call: nothing is allocated per message
	return func(c *route.Ctx) ([]byte, bool) {
		b, ok := text(c)
		if !ok || c.P.Par.Grammar.ParseURI(b, u) != sipparse.OK {
			return nil, false
		}
		return f(c, u, b), true
	}
}

func userPart(_ *route.Ctx, u *sipparse.URI, b []byte) []byte { return u.User.In(b) }

// uriParts are the parts of a URI.
var uriParts = map[string]func(c *route.Ctx, u *sipparse.URI, b []byte) []byte{
	"type": func(_ *route.Ctx, u *sipparse.URI, b []byte) []byte {
		if isPhone(u, b) {
			if u.Scheme == sipparse.SchemeSIPS {
				return telsText
			}
			return telText
		}
		return u.SchemeText.In(b)
	},
	"user":    userPart,
	"rn_user": userPart,
	"pwd":     func(_ *route.Ctx, u *sipparse.URI, b []byte) []byte { return u.Passwd.In(b) },
	"host":    func(_ *route.Ctx, u *sipparse.URI, b []byte) []byte { return u.Host.In(b) },
	"port":    func(_ *route.Ctx, u *sipparse.URI, b []byte) []byte { return u.PortText.In(b) },
	"params": func(_ *route.Ctx, u *sipparse.URI, b []byte) []byte {
		switch {
		case isPhone(u, b):
			return nil // Kamailio keeps them in another place once it takes the URI for a telephone number
		case u.Params.Empty():
			return u.TelParams.In(b)
		}
		return u.Params.In(b)
	},
	"hostport": func(c *route.Ctx, u *sipparse.URI, b []byte) []byte {
		h := u.Host.In(b)
		switch {
		case len(h) == 0:
			return nil
		case u.Port != 0:
			return b[u.Host.Off:u.PortText.End()]
		case u.Scheme == sipparse.SchemeSIPS:
			return c.Scratch.Concat(h, sipsPort)
		}
		return c.Scratch.Concat(h, sipPort)
	},
	"transport": func(c *route.Ctx, u *sipparse.URI, b []byte) []byte {
		switch {
		case u.HasTransport:
			return c.Scratch.CopyString(u.Proto.String())
		case u.Scheme == sipparse.SchemeSIPS:
			return c.Scratch.CopyString(sipparse.TLS.String())
		}
		return c.Scratch.CopyString(sipparse.UDP.String())
	},
}

var (
	telText, telsText = []byte("tel"), []byte("tels")
	phoneText         = []byte("phone")
	sipPort, sipsPort = []byte(":5060"), []byte(":5061")
)

func isPhone(u *sipparse.URI, b []byte) bool { return bytes.EqualFold(u.UserParam.In(b), phoneText) }

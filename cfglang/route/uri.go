package route

import (
	"errors"

	"kahea/sipparse"
)

// MaxURI is the longest URI that a setter makes (MAX_URI_SIZE of Kamailio).
const MaxURI = 1024

// RURI is the current R-URI's text (empty for replies).
func (c *Ctx) RURI() []byte {
	if c.NewURI != nil {
		return c.NewURI
	}
	if c.Msg.Line.IsReply {
		return nil
	}
	return c.Msg.Bytes(c.Msg.Line.URI)
}

// ParsedRURI is the current R-URI parsed, with its text; ok is false when it is no URI. The result is kept until the R-URI changes.
func (c *Ctx) ParsedRURI() (u *sipparse.URI, text []byte, ok bool) {
	if c.uriState == 0 {
		c.uriText = c.RURI()
		c.uriState = 1
		if c.P.Par.Grammar.ParseURI(c.uriText, &c.uri) != sipparse.OK {
			c.uriState = 2
		}
	}
	return &c.uri, c.uriText, c.uriState == 1
}

// SetRURI replaces the R-URI; b is copied.
func (c *Ctx) SetRURI(b []byte) error {
	if len(b) > MaxURI {
		return errURITooLong
	}
	t := c.Scratch.Copy(b)
	if t == nil {
		return ErrNoMemory
	}
	c.takeRURI(t)
	return nil
}

func (c *Ctx) takeRURI(t []byte) {
	c.NewURI, c.uriState = t, 0
	c.URIFresh = true
}

// RevertURI goes back to the R-URI as received.
func (c *Ctx) RevertURI() { c.NewURI, c.uriState, c.URIFresh = nil, 0, true }

// SetDstURI sets $du (nil resets); b is copied.
func (c *Ctx) SetDstURI(b []byte) error {
	if len(b) == 0 {
		c.DstURI = nil
		return nil
	}
	t := c.Scratch.Copy(b)
	if t == nil {
		return ErrNoMemory
	}
	c.DstURI, c.URIFresh = t, true
	return nil
}

// SetPath sets the Path vector (nil resets); b is copied.
func (c *Ctx) SetPath(b []byte) error {
	if len(b) == 0 {
		c.Path = nil
		return nil
	}
	t := c.Scratch.Copy(b)
	if t == nil {
		return ErrNoMemory
	}
	c.Path = t
	return nil
}

var (
	errURITooLong = errors.New("uri too long (more than 1024 bytes)")
	errBadRURI    = errors.New("request uri can not be parsed")
	errURIType    = errors.New("operation does not fit the uri's scheme")
)

// URIPart names what SetRURIPart changes.
type URIPart uint8

const (
	PartHost          URIPart = iota // rewritehost: host only
	PartHostPort                     // rewritehostport: removes the old port
	PartHostPortTrans                // rewritehostporttrans: and the transport parameter
	PartUser                         // rewriteuser: keeps the password
	PartUserPass                     // rewriteuserpass: drops the password
	PartPort                         // rewriteport; "" removes it
	PartPrefix                       // prefix
	PartUserPhone                    // userphone: adds ;user=phone
)

// SetRURIPart changes one part of the R-URI as Kamailio does: the scheme is kept (tel becomes sip when a host is set),
// the password is kept while there is a user, parameters and headers are kept.
func (c *Ctx) SetRURIPart(p URIPart, val []byte) error {
	u, b, ok := c.ParsedRURI()
	if !ok {
		return errBadRURI
	}
	if u.Scheme == sipparse.SchemeURN {
		return errURIType
	}
	tel := u.Scheme == sipparse.SchemeTEL || u.Scheme == sipparse.SchemeTELS
	if tel && p == PartPort {
		return errURIType
	}
	out := c.Scratch.Tail(min(len(b)+len(val), MaxURI) + 64)
	if out == nil {
		return ErrNoMemory
	}
	// scheme
	setsHost := p == PartHost || p == PartHostPort || p == PartHostPortTrans
	switch {
	case tel && setsHost && u.Scheme == sipparse.SchemeTELS:
		out = append(out, "sips:"...)
	case tel && setsHost:
		out = append(out, "sip:"...)
	default:
		out = append(out, u.SchemeText.In(b)...)
		out = append(out, ':')
	}
	// user and password
	user, pass := u.User.In(b), u.Passwd.In(b)
	switch p {
	case PartUser:
		user = val
	case PartUserPass:
		user, pass = val, nil
	case PartPrefix:
		out = append(out, val...)
	}
	if p == PartUser || p == PartUserPass {
		if len(user) == 0 {
			pass = nil
		}
	}
	out = append(out, user...)
	if !u.TelParams.Empty() {
		out = append(out, ';')
		out = append(out, u.TelParams.In(b)...)
	}
	if len(pass) > 0 {
		out = append(out, ':')
		out = append(out, pass...)
	}
	hasUser := len(user) > 0 || p == PartPrefix && len(val) > 0
	if hasUser && (!tel || setsHost) {
		out = append(out, '@')
	}
	// host and port
	switch p {
	case PartHost:
		out = append(out, val...)
		out = appendPort(out, u.PortText.In(b))
	case PartHostPort, PartHostPortTrans:
		out = append(out, val...)
	case PartPort:
		out = append(out, u.Host.In(b)...)
		out = appendPort(out, val)
	default:
		out = append(out, u.Host.In(b)...)
		out = appendPort(out, u.PortText.In(b))
	}
	// parameters
	if p == PartHostPortTrans && u.HasTransport {
		for it := sipparse.Params(u.Params.In(b)); it.Next(); {
			if len(it.Name) == 9 && equalFold(it.Name, "transport") {
				continue
			}
			out = append(out, ';')
			out = append(out, it.Name...)
			if it.HasValue {
				out = append(out, '=')
				out = append(out, it.Value...)
			}
		}
	} else if !u.Params.Empty() {
		out = append(out, ';')
		out = append(out, u.Params.In(b)...)
	}
	if p == PartUserPhone || tel && setsHost {
		if _, has := sipparse.Param(u.Params.In(b), "user"); !has {
			out = append(out, ";user=phone"...)
		}
	}
	if !u.Headers.Empty() {
		out = append(out, '?')
		out = append(out, u.Headers.In(b)...)
	}
	if len(out) > MaxURI {
		return errURITooLong
	}
	c.takeRURI(c.Scratch.Keep(out))
	return nil
}

func appendPort(out, port []byte) []byte {
	if len(port) == 0 {
		return out
	}
	out = append(out, ':')
	return append(out, port...)
}

// Strip drops n bytes of the R-URI's user from the front, or from the end when tail is set; too many leave it empty.
func (c *Ctx) Strip(n int, tail bool) error {
	u, b, ok := c.ParsedRURI()
	if !ok {
		return errBadRURI
	}
	user := u.User.In(b)
	n = min(max(n, 0), len(user))
	if tail {
		user = user[:len(user)-n]
	} else {
		user = user[n:]
	}
	return c.SetRURIPart(PartUser, user)
}

// PortText prints a port in scratch memory.
func (c *Ctx) PortText(p uint16) []byte { return c.Scratch.Int(int64(p)) }

func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		ch := b[i]
		if 'A' <= ch && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		if ch != lower[i] {
			return false
		}
	}
	return true
}

// UseRURI makes b the R-URI without copying it and without marking it fresh (nil: as received): tm walks the branches with it.
func (c *Ctx) UseRURI(b []byte) { c.NewURI, c.uriState = b, 0 }

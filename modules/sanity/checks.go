package sanity

import (
	"bytes"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// The checks, by bit; 8 and 16 do nothing, as in Kamailio.
const (
	checkVersion = 1 << iota
	checkScheme
	checkRequired
	checkViaVersion
	checkViaProto
	checkCSeqMethod
	checkCSeqValue
	checkLength
	checkExpires
	checkProxyRequire
	checkURIs
	checkDigest
	checkTags
	checkAuth
	checkVia1

	maxChecks    = 1<<15 - 1
	maxURIChecks = 15
)

// failure names what a check found; its number is kept with the message.
type failure uint8

const (
	good failure = iota
	badVersion
	badRURI
	missing
	badCSeqMethod
	badCSeqValue
	badBody
	badLength
	badExpiresHeader
	badExpires
	badProxyRequire
	badProxyHeader
	badFrom
	badTo
	badContact
	badContactURI
	notDigest
	badAuth
	badCredentials
	emptyUser
	emptyNonce
	manyFromTags
	manyToTags
	badVia
)

// failures are the replies, Kamailio's texts; code 0: none is sent.
var failures = [...]struct {
	code   int
	reason []byte
}{
	badVersion:       {505, []byte("Version Not Supported (R-URI)")},
	badRURI:          {400, []byte("Bad Request URI")},
	missing:          {400, []byte("Missing Required Header in Request")},
	badCSeqMethod:    {400, []byte("CSeq method does not match request method")},
	badCSeqValue:     {400, []byte("CSeq number is illegal")},
	badBody:          {400, []byte("Content-Length Body Failure")},
	badLength:        {400, []byte("Content-Length mis-match")},
	badExpiresHeader: {400, []byte("Bad Expires Header")},
	badExpires:       {400, []byte("Expires value is illegal")},
	badProxyRequire:  {420, []byte("Bad Proxy Require Extension")},
	badProxyHeader:   {400, []byte("Bad Proxy Require Header")},
	badFrom:          {400, []byte("Invalid From Header")},
	badTo:            {400, []byte("Ivalid To Header")},
	badContact:       {400, []byte("Bad Contact Header")},
	badContactURI:    {400, []byte("Bad Contact URI")},
	notDigest:        {},
	badAuth:          {400, []byte("Bad Auth Header")},
	badCredentials:   {400, []byte("Bad Auth Credentials")},
	emptyUser:        {400, []byte("Auth Empty User")},
	emptyNonce:       {400, []byte("Auth Empty Nonce")},
	manyFromTags:     {400, []byte("Many From Tag Params")},
	manyToTags:       {400, []byte("Many To Tag Params")},
	badVia:           {400, []byte("Missing Required Header in Request")},
}

// run makes the checks in order and returns the first failure.
func (m *mod) run(c *route.Ctx, checks, uris uint32) failure {
	for bit := uint32(checkVersion); bit <= checkVia1; bit <<= 1 {
		if checks&bit == 0 {
			continue
		}
		if f := m.one(c, bit, uris); f != good {
			return f
		}
	}
	return good
}

func (m *mod) one(c *route.Ctx, bit, uris uint32) failure {
	msg := &c.Msg
	switch bit {
	case checkVersion:
		// a reply has no R-URI with a version behind it, and fails
		if msg.Line.IsReply || !bytes.EqualFold(msg.Bytes(msg.Line.Version), sip20) {
			return badVersion
		}
	case checkScheme:
		if msg.Line.IsReply {
			return good
		}
		if _, _, ok := c.ParsedRURI(); !ok {
			return badRURI
		}
	case checkRequired:
		if msg.Complete() != sipparse.OK {
			return missing // they are looked for up to the empty line, and there is a line that is no field
		}
		for _, t := range [...]sipparse.HdrType{sipparse.HdrFrom, sipparse.HdrTo, sipparse.HdrCSeq, sipparse.HdrCallID, sipparse.HdrVia} {
			if msg.First(t) == nil {
				return missing
			}
		}
	case checkCSeqMethod:
		q, e := msg.CSeq()
		if e != sipparse.OK {
			return missing
		}
		if !msg.Line.IsReply && !bytes.Equal(msg.Bytes(q.MethodText), msg.Bytes(msg.Line.MethodText)) {
			return badCSeqMethod
		}
	case checkCSeqValue:
		q, e := msg.CSeq()
		if e != sipparse.OK || !validNumber(msg.Bytes(q.NumText)) {
			return badCSeqValue
		}
	case checkLength:
		return length(c)
	case checkExpires:
		return expires(msg)
	case checkProxyRequire:
		return m.proxyRequireCheck(c)
	case checkURIs:
		return parseURIs(c, uris)
	case checkDigest:
		return digest(msg, true)
	case checkTags:
		if n, e := msg.From(); e == sipparse.OK && manyTags(msg.Bytes(n.Params)) {
			return manyFromTags
		}
		if n, e := msg.To(); e == sipparse.OK && manyTags(msg.Bytes(n.Params)) {
			return manyToTags
		}
	case checkAuth:
		return digest(msg, false)
	case checkVia1:
		if _, e := msg.Via1(); e != sipparse.OK {
			return badVia
		}
	}
	return good
}

var sip20 = []byte("SIP/2.0")

// validNumber is Kamailio's test of a 32 bit number: at most ten digits, and of ten no more than 4294967296 (which is one too many).
func validNumber(b []byte) bool {
	if len(b) == 0 || len(b) > 10 {
		return false
	}
	n := uint64(0)
	for _, ch := range b {
		if ch -= '0'; ch > 9 {
			return false
		}
		n = n*10 + uint64(ch)
	}
	return n <= 1<<32
}

func length(c *route.Ctx) failure {
	n, ok, e := c.Msg.ContentLength()
	switch {
	case !ok:
		c.Logf(log.Warn, "sanity", "Content-Length is missing in the request")
		return good
	case !c.Msg.HasBody():
		return badBody
	case e != sipparse.OK || n != len(c.Msg.Body()):
		return badLength
	}
	return good
}

func expires(msg *sipparse.Msg) failure {
	h := msg.First(sipparse.HdrExpires)
	if h == nil {
		return good
	}
	b := msg.Bytes(h.Body)
	if len(b) == 0 {
		return badExpiresHeader
	}
	if i := bytes.IndexAny(b, " \t\r\n"); i >= 0 {
		b = b[:i]
	}
	if !validNumber(b) {
		return badExpires
	}
	return good
}

// splitTags splits a list at commas and trims the items.
func splitTags(b []byte) (l [][]byte) {
	for t := range bytes.SplitSeq(b, []byte(",")) {
		if t = bytes.TrimSpace(t); len(t) > 0 {
			l = append(l, t)
		}
	}
	return l
}

func (m *mod) proxyRequireCheck(c *route.Ctx) failure {
	h := c.Msg.First(sipparse.HdrProxyRequire)
	if h == nil {
		return good
	}
	if h.Body.Len == 0 {
		return badProxyHeader
	}
items:
	for t := range bytes.SplitSeq(c.Msg.Bytes(h.Body), comma) {
		t = bytes.TrimSpace(t)
		for _, s := range m.supported {
			if bytes.Equal(s, t) {
				continue items
			}
		}
		if m.noreply == 0 {
			c.Edits.AddReplyHeader(c.Scratch.Concat(unsupported, t, crlf))
		}
		return badProxyRequire
	}
	return good
}

var (
	comma       = []byte(",")
	unsupported = []byte("Unsupported: ")
	crlf        = []byte("\r\n")
)

// The URIs of check 1024, by bit.
const (
	uriR = 1 << iota
	uriFrom
	uriTo
	uriContact
)

func parseURIs(c *route.Ctx, uris uint32) failure {
	msg := &c.Msg
	if uris&uriR != 0 && !msg.Line.IsReply {
		if _, _, ok := c.ParsedRURI(); !ok {
			return badRURI
		}
	}
	if uris&uriFrom != 0 {
		if _, _, e := msg.FromURI(); e != sipparse.OK {
			return badFrom
		}
	}
	if uris&uriTo != 0 {
		if _, _, e := msg.ToURI(); e != sipparse.OK {
			return badTo
		}
	}
	if uris&uriContact != 0 {
		for v := msg.Values(sipparse.HdrContact); ; {
			ok, e := v.Next()
			if e != sipparse.OK {
				return badContact
			}
			if !ok {
				break
			}
			var u sipparse.URI
			if !v.Star && c.P.Par.Grammar.ParseURI(msg.Bytes(v.URI), &u) != sipparse.OK {
				return badContactURI
			}
		}
	}
	return good
}

// digest checks the first Authorization and Proxy-Authorization; strict fails for other schemes than Digest.
func digest(msg *sipparse.Msg, strict bool) failure {
	for _, t := range [...]sipparse.HdrType{sipparse.HdrAuthorization, sipparse.HdrProxyAuthorization} {
		h := msg.First(t)
		if h == nil {
			continue
		}
		var a sipparse.Auth
		if h.Body.Len == 0 {
			if strict {
				return notDigest
			}
			continue
		}
		if sipparse.ParseAuth(msg.Buf, h.Body, &a) != sipparse.OK {
			return badAuth
		}
		if !bytes.EqualFold(msg.Bytes(a.Scheme), []byte("Digest")) || a.Scheme.Len == h.Body.Len {
			if strict {
				return notDigest
			}
			continue
		}
		for _, s := range [...]sipparse.Span{a.Username, a.Realm, a.Nonce, a.URI, a.Response} {
			if s.Off == 0 {
				return badCredentials
			}
		}
		switch {
		case a.Username.Empty():
			return emptyUser
		case a.Nonce.Empty():
			return emptyNonce
		}
	}
	return good
}

func manyTags(params []byte) bool {
	n := 0
	for it := sipparse.Params(params); it.Next(); {
		if bytes.EqualFold(it.Name, tag) {
			n++
		}
	}
	return n > 1
}

var tag = []byte("tag")

package sipparse

import "encoding/binary"

// HdrType is a header field known by name (and compact form).
type HdrType uint8

// The types of header fields.
const (
	HdrOther HdrType = iota
	HdrVia
	HdrFrom
	HdrTo
	HdrCallID
	HdrCSeq
	HdrContact
	HdrMaxForwards
	HdrRoute
	HdrRecordRoute
	HdrContentType
	HdrContentLength
	HdrAuthorization
	HdrProxyAuthorization
	HdrExpires
	HdrSupported
	HdrRequire
	HdrProxyRequire
	HdrUnsupported
	HdrAllow
	HdrEvent
	HdrAccept
	HdrAcceptLanguage
	HdrOrganization
	HdrPriority
	HdrSubject
	HdrUserAgent
	HdrServer
	HdrContentDisposition
	HdrDiversion
	HdrRPID
	HdrReferTo
	HdrReferredBy
	HdrSessionExpires
	HdrMinSE
	HdrSIPIfMatch
	HdrSubscriptionState
	HdrDate
	HdrIdentity
	HdrPAI
	HdrPPI
	HdrPath
	HdrPrivacy
	HdrReason
	HdrMinExpires
	HdrRetryAfter
	HdrWWWAuthenticate
	HdrProxyAuthenticate
	HdrAllowEvents
	HdrReplaces
	HdrService // Service-Route
	HdrWarning
	HdrAlertInfo
	HdrCallInfo
	HdrAcceptContact
	HdrRejectContact
	HdrRequestDisposition
	HdrContentEncoding
	NumHdr
)

// hdrName is one row of the table of header names; compact is 0 where RFC 3261 and its extensions define no short form.
type hdrName struct {
	name    string
	compact byte
}

var hdrNames = [NumHdr]hdrName{
	HdrVia:                {"Via", 'v'},
	HdrFrom:               {"From", 'f'},
	HdrTo:                 {"To", 't'},
	HdrCallID:             {"Call-ID", 'i'},
	HdrCSeq:               {"CSeq", 0},
	HdrContact:            {"Contact", 'm'},
	HdrMaxForwards:        {"Max-Forwards", 0},
	HdrRoute:              {"Route", 0},
	HdrRecordRoute:        {"Record-Route", 0},
	HdrContentType:        {"Content-Type", 'c'},
	HdrContentLength:      {"Content-Length", 'l'},
	HdrAuthorization:      {"Authorization", 0},
	HdrProxyAuthorization: {"Proxy-Authorization", 0},
	HdrExpires:            {"Expires", 0},
	HdrSupported:          {"Supported", 'k'},
	HdrRequire:            {"Require", 0},
	HdrProxyRequire:       {"Proxy-Require", 0},
	HdrUnsupported:        {"Unsupported", 0},
	HdrAllow:              {"Allow", 0},
	HdrEvent:              {"Event", 'o'},
	HdrAccept:             {"Accept", 0},
	HdrAcceptLanguage:     {"Accept-Language", 0},
	HdrOrganization:       {"Organization", 0},
	HdrPriority:           {"Priority", 0},
	HdrSubject:            {"Subject", 's'},
	HdrUserAgent:          {"User-Agent", 0},
	HdrServer:             {"Server", 0},
	HdrContentDisposition: {"Content-Disposition", 0},
	HdrDiversion:          {"Diversion", 0},
	HdrRPID:               {"Remote-Party-ID", 0},
	HdrReferTo:            {"Refer-To", 'r'},
	HdrReferredBy:         {"Referred-By", 'b'},
	HdrSessionExpires:     {"Session-Expires", 'x'},
	HdrMinSE:              {"Min-SE", 0},
	HdrSIPIfMatch:         {"SIP-If-Match", 0},
	HdrSubscriptionState:  {"Subscription-State", 0},
	HdrDate:               {"Date", 0},
	HdrIdentity:           {"Identity", 'y'},
	HdrPAI:                {"P-Asserted-Identity", 0},
	HdrPPI:                {"P-Preferred-Identity", 0},
	HdrPath:               {"Path", 0},
	HdrPrivacy:            {"Privacy", 0},
	HdrReason:             {"Reason", 0},
	HdrMinExpires:         {"Min-Expires", 0},
	HdrRetryAfter:         {"Retry-After", 0},
	HdrWWWAuthenticate:    {"WWW-Authenticate", 0},
	HdrProxyAuthenticate:  {"Proxy-Authenticate", 0},
	HdrAllowEvents:        {"Allow-Events", 'u'},
	HdrReplaces:           {"Replaces", 0},
	HdrService:            {"Service-Route", 0},
	HdrWarning:            {"Warning", 0},
	HdrAlertInfo:          {"Alert-Info", 0},
	HdrCallInfo:           {"Call-Info", 0},
	HdrAcceptContact:      {"Accept-Contact", 'a'},
	HdrRejectContact:      {"Reject-Contact", 'j'},
	HdrRequestDisposition: {"Request-Disposition", 'd'},
	HdrContentEncoding:    {"Content-Encoding", 'e'},
}

// String is the long name of t, "" for HdrOther.
func (t HdrType) String() string {
	if t >= NumHdr {
		return ""
	}
	return hdrNames[t].name
}

// Compact is the compact form of t, 0 if it has none.
func (t HdrType) Compact() byte {
	if t >= NumHdr {
		return 0
	}
	return hdrNames[t].compact
}

// A name is recognised by its length and first letter, which lead to a short chain of names, each compared as two or three
// overlapping 64-bit words with bit 0x20 set: letters lose their case, and no other byte of a name turns into a letter or '-'.
const (
	maxKnown = 24
	foldBits = 0x2020202020202020
)

type nameWords struct {
	first, mid, last uint64
	typ, next        HdrType // next of the chain, 0 at the end
}

var nameTab = func() (t struct {
	words [NumHdr]nameWords
	head  [maxKnown + 1][32]HdrType // by length and first letter & 31
	short [256]HdrType              // compact forms
	mask  [9]uint64
}) {
	for n := range t.mask {
		t.mask[n] = ^uint64(0) >> (64 - 8*uint(n))
	}
	t.mask[0] = 0
	for typ := HdrVia; typ < NumHdr; typ++ {
		name := []byte(hdrNames[typ].name)
		w := &t.words[typ]
		w.first, w.mid, w.last = loadName(name, len(name))
		if len(name) < 8 {
			w.first &= t.mask[len(name)]
		}
		w.typ = typ
		h := &t.head[len(name)][name[0]&31]
		w.next, *h = *h, typ
		if c := hdrNames[typ].compact; c != 0 {
			t.short[c], t.short[c-0x20] = typ, typ
		}
	}
	return
}()

// loadName loads the words of the name b[:n]; b may be longer. Words that the name does not reach are 0.
func loadName(b []byte, n int) (first, mid, last uint64) {
	if n >= 8 {
		first = binary.LittleEndian.Uint64(b) | foldBits
		last = binary.LittleEndian.Uint64(b[n-8:]) | foldBits
		if n > 16 {
			mid = binary.LittleEndian.Uint64(b[8:]) | foldBits
		}
		return
	}
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b) | foldBits, 0, 0
	}
	for i := n - 1; i >= 0; i-- {
		first = first<<8 | uint64(b[i]|0x20)
	}
	return
}

// typeOf recognises the name that stands in b[:n]; what follows in b may be read but does not matter.
func typeOf(b []byte, n int) HdrType {
	if n <= 1 {
		if n == 0 {
			return HdrOther
		}
		return nameTab.short[b[0]]
	}
	if n > maxKnown {
		return HdrOther
	}
	t := nameTab.head[n][b[0]&31]
	if t == HdrOther {
		return HdrOther
	}
	first, mid, last := loadName(b, n)
	if n < 8 {
		first &= nameTab.mask[n]
	}
	for {
		w := &nameTab.words[t&63]
		if w.first == first && w.last == last && w.mid == mid {
			return t
		}
		if t = w.next; t == HdrOther {
			return HdrOther
		}
	}
}

// LookupHdr finds the type of a header field by its long or compact name, any case; HdrOther if it is not known.
func LookupHdr(name []byte) HdrType { return typeOf(name, len(name)) }

// Hdr is one header field as it stands in the buffer.
type Hdr struct {
	Name Span
	Body Span   // without leading and trailing white space; folds are inside, untouched
	Off  uint32 // first byte of the name
	End  uint32 // behind the line end
	Next int32  // index of the next field of the same type in Msg.Hdrs, -1 at the last
	Type HdrType
}

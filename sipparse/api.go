package sipparse

// This file fixes the interface of the package before its bodies exist. Bodies move to one file a noun.

// Span is a range of a buffer, 32-bit, never truncated silently (a message is at most 2^31 bytes).
type Span struct{ Off, Len uint32 }

func (s Span) In(buf []byte) []byte { return buf[s.Off : s.Off+s.Len : s.Off+s.Len] }
func (s Span) End() uint32          { return s.Off + s.Len }
func (s Span) Empty() bool          { return s.Len == 0 }

// Method is a bit as in Kamailio's $rmid.
type Method uint32

const (
	INVITE      Method = 1
	CANCEL      Method = 2
	ACK         Method = 4
	BYE         Method = 8
	INFO        Method = 16
	REGISTER    Method = 32
	SUBSCRIBE   Method = 64
	NOTIFY      Method = 128
	MESSAGE     Method = 256
	OPTIONS     Method = 512
	PRACK       Method = 1024
	UPDATE      Method = 2048
	REFER       Method = 4096
	PUBLISH     Method = 8192
	KDMQ        Method = 16384
	GET         Method = 32768
	POST        Method = 65536
	PUT         Method = 131072
	DELETE      Method = 262144
	OtherMethod Method = 524288
)

// Proto is a transport with Kamailio's numbers ($prid).
type Proto uint8

const (
	ProtoNone Proto = 0
	UDP       Proto = 1
	TCP       Proto = 2
	TLS       Proto = 3
	SCTP      Proto = 4
	WS        Proto = 5
	WSS       Proto = 6
)

func (p Proto) String() string          { panic("todo") } // lower case, "udp"
func ParseProto(b []byte) (Proto, bool) { panic("todo") } // any case
func LookupMethod(b []byte) Method      { panic("todo") } // case-sensitive; OtherMethod if unknown
func (m Method) String() string         { panic("todo") } // "" for OtherMethod

// Err is a numeric error (0 = none) with a text; it implements error and never allocates.
type Err uint8

const OK Err = 0 // the others are named in errors.go: ErrTooShort, ErrFirstLine, ErrVia, ErrHeader, ErrDuplicate, ErrURI, ErrPort, ErrContentLength, ...

// HdrType is a header field known by name (and compact form).
type HdrType uint8

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
	NumHdr
)

// Hdr is one header field as it stands in the buffer.
type Hdr struct {
	Name Span
	Body Span   // without leading and trailing white space; folds are inside, untouched
	Off  uint32 // first byte of the name
	End  uint32 // behind the line end
	Next int32  // index of the next field of the same type in Msg.Hdrs, -1 at the last
	Type HdrType
}

// FirstLine is the request or status line.
type FirstLine struct {
	IsReply    bool
	Method     Method
	MethodText Span // requests
	URI        Span
	Version    Span
	Status     uint16 // replies
	StatusText Span
	Reason     Span
	End        uint32 // behind the line end: the first header field begins here
}

// Via is one via-parm.
type Via struct {
	Whole     Span // from the protocol name to the last parameter
	Name      Span // "SIP"
	Version   Span // "2.0"
	Transport Span
	Proto     Proto
	Host      Span // with brackets if IPv6
	PortText  Span
	Port      uint16 // 0 if absent
	Params    Span   // all parameters, from behind the first ';'
	Branch    Span   // values of parameters; empty if absent
	Received  Span
	RPort     Span
	HasRPort  bool // ";rport" stands there, with or without a value
	I         Span
	HasAlias  bool
	Alias     Span
	SentByEnd uint32 // behind host[:port]: where Kamailio inserts ";received"
	Hdr       int32  // index in Msg.Hdrs
	Rest      Span   // what follows behind the comma in the same field; empty if nothing
}

// NameAddr is a name-addr or addr-spec with its header parameters (From, To, Route, Contact, ...).
type NameAddr struct {
	Whole  Span
	Name   Span // display name with its quotes, as it stands
	URI    Span // without < >
	Angle  bool // the URI stood in < >
	Params Span // header parameters, from behind the first ';' after the address
	Tag    Span // value of ;tag
	Star   bool // Contact: *
	Rest   Span // what follows behind the comma; empty if nothing
}

// CSeq header.
type CSeq struct {
	NumText    Span
	Num        uint32
	MethodText Span
	Method     Method
}

// URI is a parsed URI; spans are relative to the text given to ParseURI.
type URI struct {
	Scheme     Scheme
	SchemeText Span
	User       Span
	Passwd     Span
	HasAt      bool
	Host       Span // with brackets if IPv6; empty for tel
	PortText   Span
	Port       uint16
	Params     Span // from behind the first ';'
	Headers    Span // from behind '?'
	// well-known parameters: the Val spans hold the value, the Has flags say that the parameter stands there
	Transport                                      Span
	Proto                                          Proto // of the transport parameter; ProtoNone if absent or unknown
	TTL, UserParam, Maddr, MethodParam, R2, GR, OB Span
	LR                                             bool
	HasTransport, HasGR, HasOB, HasR2, HasMaddr    bool
}

type Scheme uint8

const (
	SchemeNone Scheme = iota
	SchemeSIP
	SchemeSIPS
	SchemeTEL
	SchemeTELS
	SchemeURN
)

func ParseURI(text []byte, u *URI) Err { panic("todo") }

// Param finds a parameter by name (case-insensitive) in a params text "a=1;b;c=\"x\"". Quotes are not removed.
func Param(params []byte, name string) (value []byte, ok bool) { panic("todo") }

// ParamIter walks a params text: for it := Params(b); it.Next(); { it.Name, it.Value }.
type ParamIter struct {
	Name, Value []byte
	HasValue    bool
	rest        []byte
}

func Params(params []byte) ParamIter { panic("todo") }
func (p *ParamIter) Next() bool      { panic("todo") }

func ParseVia(buf []byte, at Span, v *Via) Err           { panic("todo") } // one via-parm at the start of at; offsets are of buf
func ParseNameAddr(buf []byte, at Span, n *NameAddr) Err { panic("todo") } // one value at the start of at
func ParseCSeq(buf []byte, at Span, c *CSeq) Err         { panic("todo") }

// Auth is a parsed Digest (Proxy-)Authorization.
type Auth struct {
	Scheme, Username, Realm, Nonce, URI, Response, Algorithm, Cnonce, Opaque, QOP, NC Span // values without quotes
	UserName, UserDomain                                                              Span // username split at '@'
}

func ParseAuth(buf []byte, at Span, a *Auth) Err { panic("todo") }

// Msg is a parsed message: offsets into Buf, which it borrows and never changes. A Msg is reused; its slices keep their
// capacity (bounded). Values parsed on demand are kept until the next Parse.
type Msg struct {
	Buf         []byte
	Line        FirstLine
	Hdrs        []Hdr
	BodyOff     uint32
	Lenient     bool // sip_parser_mode=0: duplicates of single-occurrence fields keep the first
	first, last [NumHdr]int32
	// parsed values and their flags: private
}

// Parse reads the first line and locates every header field (types, folds, end), and parses the first Via. Behaviour of
// Kamailio per reference core.md 9.1: leading CR LF NUL TAB SP skipped, ... It does not parse From etc.
func (m *Msg) Parse(buf []byte) Err { panic("todo") }

// Mandatory parses From, To, Call-ID, CSeq (the second step of 9.1) and says which failed.
func (m *Msg) Mandatory() Err { panic("todo") }

func (m *Msg) Bytes(s Span) []byte                    { return s.In(m.Buf) }
func (m *Msg) First(t HdrType) *Hdr                   { panic("todo") } // nil if absent
func (m *Msg) NextOf(h *Hdr) *Hdr                     { panic("todo") }
func (m *Msg) Find(name []byte) *Hdr                  { panic("todo") } // by name, case-insensitive, compact and long form alike
func (m *Msg) FindNext(h *Hdr) *Hdr                   { panic("todo") } // next of the same name
func (m *Msg) Via1() (*Via, Err)                      { panic("todo") }
func (m *Msg) Via2() (*Via, Err)                      { panic("todo") } // next via-parm, same field or the next one; ErrNoVia if there is none
func (m *Msg) From() (*NameAddr, Err)                 { panic("todo") }
func (m *Msg) To() (*NameAddr, Err)                   { panic("todo") }
func (m *Msg) FromURI() (*URI, []byte, Err)           { panic("todo") } // parsed URI and its text
func (m *Msg) ToURI() (*URI, []byte, Err)             { panic("todo") }
func (m *Msg) CSeq() (*CSeq, Err)                     { panic("todo") }
func (m *Msg) CallID() []byte                         { panic("todo") } // nil if absent
func (m *Msg) RURI() (*URI, []byte, Err)              { panic("todo") } // of the first line
func (m *Msg) ContentLength() (n int, ok bool, e Err) { panic("todo") }
func (m *Msg) MaxForwards() (n int, ok bool, e Err)   { panic("todo") }
func (m *Msg) Expires() (n int, ok bool, e Err)       { panic("todo") }
func (m *Msg) Body() []byte                           { panic("todo") } // rest of the buffer behind the empty line (UDP: regardless of Content-Length)
func (m *Msg) Method() Method                         { panic("todo") } // requests: the line's; replies: CSeq's

// Values walks all comma-separated values of all fields of one type as name-addrs (Contact, Route, Record-Route, Path, ...).
type Values struct {
	NameAddr
	Hdr *Hdr
	// private
}

func (m *Msg) Values(t HdrType) Values   { panic("todo") }
func (v *Values) Next() (ok bool, e Err) { panic("todo") }

// Framer finds message ends in a byte stream (core.md 13.4): resumable at any byte, no allocation. Feed it what has
// been read so far; it never copies.
type Framer struct {
	MaxSize    int  // tcp_rd_buf_size / msg_recv_max_size
	AcceptNoCL bool // tcp_accept_no_cl
	// private: resume state
}

type FrameKind uint8

const (
	FrameNeedMore FrameKind = iota // n bytes may be dropped from the front (blanks), then read more
	FrameMessage                   // buf[skip:n] is one whole message
	FramePing                      // CRLFCRLF at message start: answer CRLF; n bytes consumed
	FrameError                     // close the connection
)

func (f *Framer) Reset()                                               { panic("todo") }
func (f *Framer) Next(buf []byte) (kind FrameKind, skip, n int, e Err) { panic("todo") }

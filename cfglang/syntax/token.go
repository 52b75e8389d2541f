package syntax

type kind uint8

const (
	tEOF    kind = iota
	tID          // foo
	tNumID       // 3com: digits and letters, no number
	tNum         // 5, 0x1f, 101b, yes, inet6
	tStr         // "..." or '...', escapes and substs done
	tPV          // $..., text with substs done
	tAvp         // %name, $f.name
	tSelect      // @name.sub["x"]
	tIP6         // 2001:db8::1
	tURI         // uri:host, uri:port
	tEvName      // tm:local-request, inside event_route[ ]
	tOp          // operators and punctuation; text says which
	tBad         // reported already
)

type token struct {
	kind kind
	text string // words and operators as written, strings decoded, numbers as written
	num  int64
	pos  Pos
	end  int // column after the token; 0: unknown
}

func (t *token) is(op string) bool  { return t.kind == tOp && t.text == op }
func (t *token) word(w string) bool { return t.kind == tID && t.text == w }
func (t *token) keyword() bool      { return t.kind == tID && isKeyword(t.text) }
func (t *token) describe() string {
	switch t.kind {
	case tEOF:
		return "end of file"
	case tStr:
		return "string"
	case tNum:
		return "number " + t.text
	}
	if len(t.text) > 40 {
		return `"` + t.text[:40] + `..."`
	}
	return `"` + t.text + `"`
}

// numberWord gives the value of words that are numbers to the lexer.
func numberWord(s string) (int64, bool) {
	switch s {
	case "yes", "true", "on", "enable":
		return 1, true
	case "no", "false", "off", "disable":
		return 0, true
	case "inet", "INET", "ipv4", "IPv4", "IPV4":
		return 2, true // AF_INET
	case "inet6", "INET6", "ipv6", "IPv6", "IPV6":
		return 10, true // AF_INET6
	}
	return 0, false
}

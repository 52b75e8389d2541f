package sipparse

// Classes of bytes, one bit each: what a byte may be part of is one table look-up.
const (
	isLWS      = 1 << iota // SP HT CR LF: inside a field's body a line end is a fold
	isBlank                // SP HT
	isDigit                // 0-9
	isToken                // RFC 3261 25.1 token
	isName                 // header name as Kamailio takes it
	isHost                 // part of the host of a URI
	isURIEnd               // ends the part of a URI that may be user or host
	isParamEnd             // ends name or value of a URI parameter
	isViaText              // transport in Via
	isViaHost              // host in Via
	isViaAddr              // inside [ ] in Via
	isViaName              // name of a parameter in Via
	isViaValue             // value of a parameter in Via, not quoted
	isToWord               // word of a display name, or URI without < >, in From and To
	isToURI                // URI in < > in From and To
	isToText               // name, or value without quotes, of a parameter of From and To
)

const (
	alpha     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digit     = "0123456789"
	nameChars = alpha + digit + "-._+~"
	hostChars = alpha + digit + "-."
)

// class is what Kamailio lets pass, recorded byte by byte from it (edit/testdata/bytes.tsv), not what the RFCs would. A Grammar has a copy with what its Settings add.
var class = func() (t [256]uint16) {
	set := func(s string, bits uint16) {
		for i := range len(s) {
			t[s[i]] |= bits
		}
	}
	but := func(s string, bits uint16) {
		var not [256]bool
		for i := range len(s) {
			not[s[i]] = true
		}
		for c := range t {
			if !not[c] {
				t[c] |= bits
			}
		}
	}
	const lws = " \t\r\n"
	set(lws, isLWS)
	set(" \t", isBlank)
	set(digit, isDigit)
	set(alpha+digit+"-.!%*_+`'~", isToken)
	set(nameChars, isName)
	set(hostChars, isHost)
	set("@:;?[]", isURIEnd)
	set(";=?@", isParamEnd)
	but(lws+"/", isViaText)
	but(lws+"\x00:;,()[]", isViaHost)
	but(lws+"\x00;,()[]", isViaAddr)
	but(lws+";,=", isViaName)
	but(lws+"\x00;,=\"", isViaValue)
	but(lws+"\x00<>;\"\\", isToWord)
	but(lws+"\x00<>\"\\", isToURI)
	but(lws+"\x00;=,\"\\", isToText)
	return
}()

// skipLWS passes over white space and folds; a CR without its LF is neither.
func skipLWS(buf []byte, i, end int) int {
	for i < end && class[buf[i]]&isLWS != 0 {
		if buf[i] == '\r' && (i+1 == end || buf[i+1] != '\n') {
			return i
		}
		i++
	}
	return i
}

func skipBlank(buf []byte, i, end int) int {
	for i < end && class[buf[i]]&isBlank != 0 {
		i++
	}
	return i
}

func skipClass(buf []byte, i, end int, bits uint16) int {
	for i < end && class[buf[i]]&bits != 0 {
		i++
	}
	return i
}

// skipQuoted wants buf[i] == '"' and returns the offset behind the closing quote, or -1 if there is none.
func skipQuoted(buf []byte, i, end int) int {
	for i++; i < end; i++ {
		switch buf[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

func lower(c byte) byte {
	if c-'A' < 26 {
		return c | 0x20
	}
	return c
}

// equalFold compares without regard to case (ASCII).
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range len(b) {
		if b[i] != s[i] && lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

// number reads decimal digits; ok is false if b is empty, holds another byte or exceeds max.
func number(b []byte, max uint64) (n uint64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if c-'0' > 9 {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > max {
			return 0, false
		}
	}
	return n, true
}

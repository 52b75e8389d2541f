package sipparse

// Err is a numeric error (0 = none) with a text; it implements error and never allocates.
type Err uint8

// What can be wrong with a message.
const (
	OK                 Err = iota
	ErrTooShort            // message of 16 bytes or less
	ErrTooBig              // longer than offsets or the framer's MaxSize allow
	ErrFirstLine           // neither request nor status line
	ErrHeader              // header field without a line end
	ErrHeaderName          // no header name, or a byte in it that may not be there
	ErrDuplicate           // second field of a type that may stand only once
	ErrNoVia               // no (further) Via
	ErrVia                 // malformed Via
	ErrPort                // port that is no number or above 65535
	ErrNoFrom              // From is missing
	ErrFrom                // malformed From
	ErrNoTo                // To is missing
	ErrTo                  // malformed To
	ErrNoCallID            // Call-ID is missing
	ErrNoCSeq              // CSeq is missing
	ErrCSeq                // malformed CSeq
	ErrNameAddr            // malformed name-addr or addr-spec
	ErrURI                 // malformed URI
	ErrScheme              // URI with a scheme that is not known
	ErrContentLength       // Content-Length that is no number
	ErrNoContentLength     // stream message without Content-Length
	ErrMaxForwards         // Max-Forwards that is no number
	ErrExpires             // Expires that is no number
	ErrAuth                // malformed digest credentials
	ErrNoBody              // no empty line behind the header fields
	numErr
)

var errText = [numErr]string{
	OK:                 "ok",
	ErrTooShort:        "message too short",
	ErrTooBig:          "message too big",
	ErrFirstLine:       "bad first line",
	ErrHeader:          "header field without line end",
	ErrHeaderName:      "bad header name",
	ErrDuplicate:       "duplicate header field",
	ErrNoVia:           "no via",
	ErrVia:             "bad via",
	ErrPort:            "bad port",
	ErrNoFrom:          "no from",
	ErrFrom:            "bad from",
	ErrNoTo:            "no to",
	ErrTo:              "bad to",
	ErrNoCallID:        "no call-id",
	ErrNoCSeq:          "no cseq",
	ErrCSeq:            "bad cseq",
	ErrNameAddr:        "bad address",
	ErrURI:             "bad uri",
	ErrScheme:          "unknown uri scheme",
	ErrContentLength:   "bad content-length",
	ErrNoContentLength: "no content-length",
	ErrMaxForwards:     "bad max-forwards",
	ErrExpires:         "bad expires",
	ErrAuth:            "bad credentials",
	ErrNoBody:          "no end of header fields",
}

// Error is the text of e.
func (e Err) Error() string {
	if e >= numErr {
		return "unknown sip error"
	}
	return errText[e]
}

package sipparse

import (
	"bytes"
	"math"
)

// Framer finds message ends in a byte stream: resumable at any byte, no allocation. Feed it what has
// been read so far; it never copies.
//
// The caller keeps one buffer per connection. After NeedMore it drops n bytes from the front (blanks) and calls again with what
// is left and what was read since; after Message and Ping it drops n bytes and calls again at once. What has been scanned is
// not scanned again.
type Framer struct {
	MaxSize    int  // tcp_rd_buf_size / msg_recv_max_size; 0: no limit but 2^31-1
	AcceptNoCL bool // tcp_accept_no_cl

	crlf  uint8 // bytes of CRLFCRLF seen (and dropped) at message start
	begun bool  // the first byte of a message has been seen: it stands at buf[0]
	eoh   bool  // the end of the header fields has been seen
	hasCL bool
	scan  int // up to here no line end was found, or everything is known
	line  int // start of the line that is being scanned
	body  int // offset of the body (eoh)
	clen  int
}

// FrameKind says what Next found.
type FrameKind uint8

// What Next found.
const (
	FrameNeedMore FrameKind = iota // n bytes may be dropped from the front (blanks), then read more
	FrameMessage                   // buf[skip:n] is one whole message
	FramePing                      // CRLFCRLF at message start: answer CRLF; n bytes consumed
	FrameError                     // close the connection
)

// Reset makes f ready for a new connection; MaxSize and AcceptNoCL stay.
func (f *Framer) Reset() { *f = Framer{MaxSize: f.MaxSize, AcceptNoCL: f.AcceptNoCL} }

// Next looks for the next frame.
func (f *Framer) Next(buf []byte) (kind FrameKind, skip, n int, e Err) {
	if !f.begun {
		for skip < len(buf) {
			c := buf[skip]
			if c != '\r' && c != '\n' && c != ' ' && c != '\t' {
				f.begun, f.crlf = true, 0
				break
			}
			skip++
			switch {
			case c == '\r' && f.crlf&1 == 0, c == '\n' && f.crlf&1 == 1:
				f.crlf++
			case c == '\r':
				f.crlf = 1
			default:
				f.crlf = 0
			}
			if f.crlf == 4 {
				f.crlf = 0
				return FramePing, skip, skip, OK
			}
		}
		if !f.begun {
			return FrameNeedMore, 0, skip, OK
		}
	}
	kind, n, e = f.message(buf[skip:])
	switch kind {
	case FrameMessage:
		return kind, skip, n + skip, OK
	case FrameNeedMore:
		return kind, 0, skip, OK
	}
	return kind, 0, 0, e
}

// message goes on with a message that begins at buf[0].
func (f *Framer) message(buf []byte) (FrameKind, int, Err) {
	limit := f.MaxSize
	if limit <= 0 {
		limit = math.MaxInt32
	}
	for !f.eoh {
		nl := bytes.IndexByte(buf[f.scan:], '\n')
		if nl < 0 {
			f.scan = len(buf)
			if len(buf) > limit {
				return FrameError, 0, ErrTooBig
			}
			return FrameNeedMore, 0, OK
		}
		end := f.scan + nl
		if end >= limit {
			return FrameError, 0, ErrTooBig
		}
		line := buf[f.line:end]
		f.scan = end + 1
		f.line = f.scan
		if len(line) > 0 && line[len(line)-1] == '\r' {
			line = line[:len(line)-1]
		}
		if len(line) == 0 {
			f.eoh, f.body = true, f.scan
			if !f.hasCL && !f.AcceptNoCL {
				return FrameError, 0, ErrNoContentLength
			}
			break
		}
		if f.hasCL {
			continue // of several the first counts, as in Kamailio; the parser refuses the message
		}
		if v, ok := contentLength(line); ok {
			n, good := number(v, math.MaxInt32)
			if !good {
				return FrameError, 0, ErrContentLength
			}
			f.clen, f.hasCL = int(n), true
		}
	}
	total := f.body + f.clen
	if total > limit {
		return FrameError, 0, ErrTooBig
	}
	if len(buf) < total {
		return FrameNeedMore, 0, OK
	}
	f.Reset()
	return FrameMessage, total, OK
}

// contentLength gives the digits if the line is a Content-Length field. As in Kamailio, blanks may stand before the name (so that
// a folded line passes for one), the name may be written with '_', the first line is looked at too, and what follows behind a
// blank does not matter; anything else behind the digits does, and then value is no number.
func contentLength(line []byte) (value []byte, ok bool) {
	i := skipBlank(line, 0, len(line))
	line = line[i:]
	if len(line) == 0 {
		return nil, false
	}
	switch line[0] | 0x20 {
	case 'l':
		i = 1
	case 'c':
		if len(line) < 14 || !equalFold(line[:7], "content") || line[7] != '-' && line[7] != '_' || !equalFold(line[8:14], "length") {
			return nil, false
		}
		i = 14
	default:
		return nil, false
	}
	i = skipBlank(line, i, len(line))
	if i == len(line) || line[i] != ':' {
		return nil, false
	}
	i = skipBlank(line, i+1, len(line))
	return line[i:notLWS(line, i, len(line))], true
}

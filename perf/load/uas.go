package load

import "bytes"

var (
	methodInvite = []byte("INVITE ")
	methodAck    = []byte("ACK ")
	tagParam     = []byte(";tag=")
)

// request answers a request from the request alone.
func (l *loop) request(f *flow, m []byte) {
	switch {
	case bytes.HasPrefix(m, methodAck):
	case bytes.HasPrefix(m, methodInvite):
		l.answer(f, m, "SIP/2.0 180 Ringing\r\n", true)
		if l.cfg.Scenario != Ring {
			l.answer(f, m, "SIP/2.0 200 OK\r\n", true)
		}
	default:
		l.answer(f, m, "SIP/2.0 200 OK\r\n", false)
	}
}

// answer sends a response (RFC 3261 section 8.2.6).
func (l *loop) answer(f *flow, m []byte, status string, dialog bool) {
	b := append(f.take(), status...)
	at := bytes.IndexByte(m, '\n') + 1
	for at < len(m) {
		n := bytes.IndexByte(m[at:], '\n')
		if n <= 1 { // the empty line
			break
		}
		line := m[at : at+n+1]
		at += n + 1
		switch line[0] {
		case 'V':
			b = append(b, line...)
		case 'F':
			if line[1] == 'r' {
				b = append(b, line...)
			}
		case 'T':
			if line[1] != 'o' {
				break
			}
			b = append(b, line[:len(line)-2]...)
			if !bytes.Contains(line, tagParam) {
				b = append(b, ";tag=uas"...)
			}
			b = append(b, '\r', '\n')
		case 'C':
			if line[1] == 'S' || line[1] == 'a' {
				b = append(b, line...)
			}
		case 'R':
			if dialog && line[1] == 'e' && line[6] == '-' {
				b = append(b, line...)
			}
		}
	}
	if dialog {
		b = append(b, f.contact...)
	}
	b = append(b, "Content-Length: 0\r\n\r\n"...)
	if err := l.put(f, b); err != nil {
		l.fail(err)
	}
}

package siputils

import "bytes"

func isDigit(ch byte) bool { return ch-'0' < 10 }
func isAlnum(ch byte) bool { return isDigit(ch) || ch|0x20-'a' < 26 }

// all says whether b is not empty and made of such characters only.
func all(b []byte, is func(byte) bool) bool {
	for _, ch := range b {
		if !is(ch) {
			return false
		}
	}
	return len(b) > 0
}

func allOr(b, set []byte) bool {
	for _, ch := range b {
		if !isAlnum(ch) && bytes.IndexByte(set, ch) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// isE164 is + and at least two digits, no longer than e164_max_len.
func (m *mod) isE164(b []byte) bool {
	return len(b) > 2 && len(b) <= m.maxE164 && b[0] == '+' && all(b[1:], isDigit)
}

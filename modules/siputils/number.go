package siputils

func isDigit(ch byte) bool { return ch-'0' < 10 }
func isAlnum(ch byte) bool { return isDigit(ch) || ch|0x20-'a' < 26 }

// all is 1 when b is made of such characters only, no when it is not, -2 when it is empty.
func all(b []byte, no int, is func(byte) bool) int {
	if len(b) == 0 {
		return -2
	}
	for _, ch := range b {
		if !is(ch) {
			return no
		}
	}
	return 1
}

// isE164 is + and at least two digits, no longer than e164_max_len.
func (m *mod) isE164(b []byte) bool {
	return len(b) > 2 && len(b) <= m.maxE164 && b[0] == '+' && all(b[1:], -1, isDigit) > 0
}

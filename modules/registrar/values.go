package registrar

import "bytes"

func is(b []byte, name string) bool { return len(b) == len(name) && bytes.EqualFold(b, []byte(name)) }

func unquote(b []byte) []byte {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		return b[1 : len(b)-1]
	}
	return b
}

// digits reads an unsigned number; more than 2^32-1 counts as that.
func digits(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), 1<<32-1)
	}
	return n, true
}

// parseQ reads a qvalue (RFC 3261 25.1) in thousandths; digits behind the third do not matter, as long as it is no more than 1.
func parseQ(b []byte) (int, bool) {
	whole, frac, dot := bytes.Cut(b, []byte("."))
	n, ok := digits(whole)
	if len(whole) == 0 && dot {
		n, ok = 0, true
	}
	if !ok || n > 1 {
		return 0, false
	}
	q := int(n) * 1000
	unit := 100
	for i, c := range frac {
		if c < '0' || c > '9' || n == 1 && c != '0' {
			return 0, false
		}
		if i > 2 {
			continue
		}
		q += int(c-'0') * unit
		unit /= 10
	}
	return q, q <= 1000
}

// appendQ prints a qvalue without trailing zeros.
func appendQ(b []byte, q int) []byte {
	if q >= 1000 {
		return append(b, '1')
	}
	if q <= 0 {
		return append(b, '0')
	}
	b = append(b, "0."...)
	for unit := 100; q > 0; unit /= 10 {
		b = append(b, byte('0'+q/unit))
		q %= unit
	}
	return b
}

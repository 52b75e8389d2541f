package load

import "bytes"

// eachLine calls f with each header line of m, without its end; the first line of the message is not one of them.
// Neither server folds lines, so folding is not looked for.
func eachLine(m []byte, f func(line []byte)) {
	at := bytes.IndexByte(m, '\n') + 1
	for at > 0 && at < len(m) {
		n := bytes.IndexByte(m[at:], '\n')
		if n < 0 {
			n = len(m) - at
		}
		line := bytes.TrimSuffix(m[at:at+n], []byte{'\r'})
		if len(line) == 0 {
			return
		}
		f(line)
		at += n + 1
	}
}

// value is a header line's value if its name is name (given with the colon, as both servers and this package write it).
func value(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) || string(line[:len(name)]) != name {
		return nil, false
	}
	return bytes.TrimLeft(line[len(name):], " "), true
}

// inBrackets is the URI between < and >.
func inBrackets(v []byte) []byte {
	i, j := bytes.IndexByte(v, '<'), bytes.IndexByte(v, '>')
	if i < 0 || j < i {
		return v
	}
	return v[i+1 : j]
}

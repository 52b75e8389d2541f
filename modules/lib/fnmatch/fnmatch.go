// Package fnmatch compares text with patterns of the shell, as fnmatch(3) does without flags.
package fnmatch

// Match is fnmatch(3) without flags: * and ? match a slash too. Each * is tried again at most once for a character of the text.
func Match(text, pattern []byte) bool {
	t, p, star, from := 0, 0, -1, 0
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, t
			p++
			continue
		}
		if n := one(text[t], pattern[p:]); n > 0 {
			t++
			p += n
			continue
		}
		if star < 0 {
			return false
		}
		from++
		t, p = from, star+1
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// one is how many bytes of the pattern match ch; 0 when they do not.
func one(ch byte, p []byte) int {
	switch {
	case len(p) == 0:
		return 0
	case p[0] == '?':
		return 1
	case p[0] == '\\' && len(p) > 1:
		if p[1] == ch {
			return 2
		}
		return 0
	case p[0] == '[':
		if n, in, ok := set(ch, p); ok {
			if in {
				return n
			}
			return 0
		}
	}
	if p[0] == ch {
		return 1
	}
	return 0
}

// set reads [...]; ok is false when it does not end: '[' is then a character like others.
func set(ch byte, p []byte) (n int, in, ok bool) {
	i := 1
	not := i < len(p) && (p[i] == '!' || p[i] == '^')
	if not {
		i++
	}
	for first := true; i < len(p); first = false {
		lo := p[i]
		if lo == ']' && !first {
			return i + 1, in != not, true
		}
		if lo == '\\' && i+1 < len(p) {
			i++
			lo = p[i]
		}
		hi := lo
		if i+2 < len(p) && p[i+1] == '-' && p[i+2] != ']' {
			hi = p[i+2]
			i += 2
		}
		in = in || lo <= ch && ch <= hi
		i++
	}
	return 0, false, false
}

package pv

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"kahea/cfglang/route"
	"kahea/modules/lib/strftime"
)

var empty = []byte{}

// stringTrans are the methods of class s that cut, count and change text; those that encode it are in trans_encode.go.
func stringTrans() map[string]binder {
	m := map[string]binder{
		"len": onText(func(_ *route.Ctx, b []byte) route.Value { return route.Int(int64(len(b))) }),
		"int": onText(func(_ *route.Ctx, b []byte) route.Value {
			n, ok := decimal(b)
			if !ok {
				return failed
			}
			return route.IntStr(n, b)
		}),
		"intv": onText(func(_ *route.Ctx, b []byte) route.Value {
			n, ok := decimal(b)
			if !ok {
				return failed
			}
			return route.Int(n)
		}),
		"substr":    bindSubstr,
		"select":    bindSelect,
		"selectsw":  bindSelectSW,
		"strip":     withInt(func(_ *route.Ctx, b []byte, n int) route.Value { return route.Str(b[min(max(n, 0), len(b)):]) }),
		"striptail": withInt(func(_ *route.Ctx, b []byte, n int) route.Value { return route.Str(b[:len(b)-min(max(n, 0), len(b))]) }),
		"stripto": atChar(func(b []byte, ch byte) []byte {
			if i := bytes.IndexByte(b, ch); i >= 0 {
				return b[i:]
			}
			return empty
		}),
		"before": atChar(func(b []byte, ch byte) []byte {
			if i := bytes.IndexByte(b, ch); i >= 0 {
				return b[:i]
			}
			return b
		}),
		"after": atChar(func(b []byte, ch byte) []byte {
			if i := bytes.IndexByte(b, ch); i >= 0 {
				return b[i+1:]
			}
			return empty
		}),
		"rbefore": atChar(func(b []byte, ch byte) []byte {
			if i := bytes.LastIndexByte(b, ch); i >= 0 {
				return b[:i]
			}
			return b
		}),
		"rafter": atChar(func(b []byte, ch byte) []byte {
			if i := bytes.LastIndexByte(b, ch); i >= 0 {
				return b[i+1:]
			}
			return empty
		}),
		"trim":  onText(func(_ *route.Ctx, b []byte) route.Value { return route.Str(trimLeft(trimRight(b))) }),
		"ltrim": onText(func(_ *route.Ctx, b []byte) route.Value { return route.Str(trimLeft(b)) }),
		"rtrim": onText(func(_ *route.Ctx, b []byte) route.Value { return route.Str(trimRight(b)) }),
		"rm":    withText(func(c *route.Ctx, b, p []byte) route.Value { return route.Str(replaceAll(c, b, p, nil)) }),
		"rmws": onText(func(c *route.Ctx, b []byte) route.Value {
			return route.Str(keep(c, b, func(ch byte) bool { return !isWS(ch) }))
		}),
		"rmhdws":  onText(func(c *route.Ctx, b []byte) route.Value { return route.Str(unfold(c, b, true)) }),
		"rmhlws":  onText(func(c *route.Ctx, b []byte) route.Value { return route.Str(unfold(c, b, false)) }),
		"replace": bindReplace,
		"tolower": onText(func(c *route.Ctx, b []byte) route.Value {
			return route.Str(mapped(c, b, func(ch byte) byte {
				if 'A' <= ch && ch <= 'Z' {
					return ch + 32
				}
				return ch
			}))
		}),
		"toupper": onText(func(c *route.Ctx, b []byte) route.Value {
			return route.Str(mapped(c, b, func(ch byte) byte {
				if 'a' <= ch && ch <= 'z' {
					return ch - 32
				}
				return ch
			}))
		}),
		"numeric": onText(func(c *route.Ctx, b []byte) route.Value {
			return route.Str(keep(c, b, func(ch byte) bool { return ch-'0' < 10 }))
		}),
		"count":     bindCharCount,
		"ftime":     bindFtime,
		"unquote":   onText(func(_ *route.Ctx, b []byte) route.Value { return route.Str(unwrap(b, `""''`)) }),
		"unbracket": onText(func(_ *route.Ctx, b []byte) route.Value { return route.Str(unwrap(b, "<>()[]{}")) }),
		"prefixes":  prefixes(""), "prefixes.quoted": prefixes("'"),
		"fmtlines": lines(' '), "fmtlinet": lines('\t'),
		"charat": withInt(func(_ *route.Ctx, b []byte, n int) route.Value {
			if n < 0 || n >= len(b) {
				return route.Str(empty)
			}
			return route.Str(b[n : n+1])
		}),
		"byteat": withInt(func(_ *route.Ctx, b []byte, n int) route.Value {
			if n < 0 || n >= len(b) {
				return route.Int(-1)
			}
			return route.Int(int64(b[n]))
		}),
	}
	for k, f := range encodeTrans() {
		m[k] = f
	}
	return m
}

// decimal reads an optional sign and digits, nothing else; without digits it is 0.
func decimal(b []byte) (int64, bool) {
	digits := b
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		digits = b[1:]
	}
	switch {
	case len(digits) == 0:
		return 0, true
	case len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x':
		return 0, false
	}
	return route.ParseInt(b)
}

func isWS(ch byte) bool { return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n' }

func trimLeft(b []byte) []byte {
	for len(b) > 0 && isWS(b[0]) {
		b = b[1:]
	}
	return b
}

func trimRight(b []byte) []byte {
	for len(b) > 0 && isWS(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func mapped(c *route.Ctx, b []byte, f func(byte) byte) []byte {
	d := c.Scratch.Alloc(len(b))
	for i := range d {
		d[i] = f(b[i])
	}
	return d
}

func keep(c *route.Ctx, b []byte, f func(byte) bool) []byte {
	d := c.Scratch.Tail(len(b))
	if d == nil {
		return nil
	}
	for _, ch := range b {
		if f(ch) {
			d = append(d, ch)
		}
	}
	return c.Scratch.Keep(d)
}

// unfold replaces line ends with the blanks behind them by one space, or drops them.
func unfold(c *route.Ctx, b []byte, space bool) []byte {
	d := c.Scratch.Tail(len(b))
	if d == nil {
		return nil
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\r' && b[i] != '\n' {
			d = append(d, b[i])
			continue
		}
		for i+1 < len(b) && isWS(b[i+1]) {
			i++
		}
		if space {
			d = append(d, ' ')
		}
	}
	return c.Scratch.Keep(d)
}

func replaceAll(c *route.Ctx, b, old, repl []byte) []byte {
	if len(old) == 0 {
		return b
	}
	n := bytes.Count(b, old)
	if n == 0 {
		return b
	}
	d := c.Scratch.Tail(len(b) + n*len(repl))
	if d == nil {
		return nil
	}
	for {
		i := bytes.Index(b, old)
		if i < 0 {
			return c.Scratch.Keep(append(d, b...))
		}
		d = append(append(d, b[:i]...), repl...)
		b = b[i+len(old):]
	}
}

func bindReplace(a *route.TransArgs) (step, error) {
	if len(a.Params) != 2 {
		return nil, errParams
	}
	p, q := &a.Params[0], &a.Params[1]
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		old, repl := p.Eval(c), q.Eval(c)
		d := replaceAll(c, v.Text(c), old, repl)
		if d == nil {
			return failed
		}
		return route.Str(d)
	}, nil
}

// unwrap removes the first pair of pairs ("<>()") that stands around b.
func unwrap(b []byte, pairs string) []byte {
	for i := 0; i+1 < len(pairs) && len(b) > 1; i += 2 {
		if b[0] == pairs[i] && b[len(b)-1] == pairs[i+1] {
			return b[1 : len(b)-1]
		}
	}
	return b
}

// rawChar is the character of a parameter that may itself be a comma: what is written, not what was split.
func rawChar(a *route.TransArgs) (func(c *route.Ctx) (byte, bool), error) {
	if len(a.Params) == 1 {
		return char(&a.Params[0])
	}
	if a.Raw == "," {
		return func(*route.Ctx) (byte, bool) { return ',', true }, nil
	}
	return nil, errChar
}

func atChar(f func(b []byte, ch byte) []byte) binder {
	return func(a *route.TransArgs) (step, error) {
		char, err := rawChar(a)
		if err != nil {
			return nil, err
		}
		return func(c *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return failed
			}
			ch, ok := char(c)
			if !ok {
				return failed
			}
			return route.Str(f(v.Text(c), ch))
		}, nil
	}
}

func bindCharCount(a *route.TransArgs) (step, error) {
	char, err := rawChar(a)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		ch, ok := char(c)
		if !ok {
			return failed
		}
		n := int64(0)
		for _, x := range v.Text(c) {
			if x == ch {
				n++
			}
		}
		return route.Int(n)
	}, nil
}

func bindSubstr(a *route.TransArgs) (step, error) {
	if len(a.Params) != 2 {
		return nil, errParams
	}
	off, err := number(&a.Params[0])
	if err != nil {
		return nil, err
	}
	size, err := number(&a.Params[1])
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		b := v.Text(c)
		i, ok1 := off.eval(c)
		n, ok2 := size.eval(c)
		if !ok1 || !ok2 || n < 0 {
			return failed
		}
		if i < 0 {
			i += len(b)
			if i < 0 {
				return failed
			}
		}
		if i >= len(b) {
			return failed
		}
		if n == 0 || i+n > len(b) {
			n = len(b) - i
		}
		return route.Str(b[i : i+n])
	}, nil
}

// separator is the last parameter of select: one character, which may be the comma that separates parameters.
func separator(a *route.TransArgs) (func(c *route.Ctx) (byte, bool), error) {
	_, raw, ok := strings.Cut(a.Raw, ",")
	if !ok || len(a.Params) < 2 {
		return nil, errParams
	}
	if a.Params[1].PV != nil {
		return char(&a.Params[1])
	}
	return char(&route.TransParam{Text: raw})
}

func bindSelect(a *route.TransArgs) (step, error) {
	if len(a.Params) < 2 {
		return nil, errParams
	}
	index, err := number(&a.Params[0])
	if err != nil {
		return nil, err
	}
	sep, err := separator(a)
	if err != nil {
		return nil, err
	}
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		b := v.Text(c)
		n, ok1 := index.eval(c)
		ch, ok2 := sep(c)
		if !ok1 || !ok2 {
			return failed
		}
		if n < 0 {
			for ; n < -1; n++ {
				i := bytes.LastIndexByte(b, ch)
				if i < 0 {
					return route.Str(empty)
				}
				b = b[:i]
			}
			return route.Str(b[bytes.LastIndexByte(b, ch)+1:])
		}
		for ; n > 0; n-- {
			i := bytes.IndexByte(b, ch)
			if i < 0 {
				return route.Str(empty)
			}
			b = b[i+1:]
		}
		if i := bytes.IndexByte(b, ch); i >= 0 {
			b = b[:i]
		}
		return route.Str(b)
	}, nil
}

// bindSelectSW splits at runs of white space, or of the characters given.
func bindSelectSW(a *route.TransArgs) (step, error) {
	if len(a.Params) < 2 {
		return nil, errParams
	}
	index, err := number(&a.Params[0])
	if err != nil {
		return nil, err
	}
	var set [256]bool
	_, raw, _ := strings.Cut(a.Raw, ",")
	if raw == "" { // blanks at the end of a transformation are no part of it
		raw = " \t\r\n"
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) {
			ch, err := escaped(raw[i:])
			if err != nil {
				return nil, err
			}
			set[ch] = true
			i++
			continue
		}
		set[raw[i]] = true
	}
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		b := v.Text(c)
		n, ok := index.eval(c)
		if !ok {
			return failed
		}
		next := func(b []byte) (word, rest []byte) {
			i := 0
			for i < len(b) && set[b[i]] {
				i++
			}
			j := i
			for j < len(b) && !set[b[j]] {
				j++
			}
			return b[i:j], b[j:]
		}
		if n < 0 {
			for w, rest := next(b); len(w) > 0; w, rest = next(rest) {
				n++
			}
			if n < 0 {
				return route.Str(empty)
			}
		}
		for w, rest := next(b); len(w) > 0; w, rest = next(rest) {
			if n == 0 {
				return route.Str(w)
			}
			n--
		}
		return route.Str(empty)
	}, nil
}

func bindFtime(a *route.TransArgs) (step, error) {
	if len(a.Params) < 1 {
		return nil, errParams
	}
	p := route.TransParam{Text: a.Raw, PV: a.Params[0].PV}
	if len(a.Params) > 1 {
		p.PV = nil
	}
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		n, ok := v.Number()
		if !ok {
			return failed
		}
		f := p.Eval(c)
		return route.Str(c.Scratch.Keep(strftime.Append(c.Scratch.Tail(160), f, time.Unix(n, 0))))
	}, nil
}

// prefixes lists all beginnings of a text, up to a length: a,ab,abc.
func prefixes(quote string) binder {
	return func(a *route.TransArgs) (step, error) {
		limit := intParam{}
		if len(a.Params) == 1 {
			var err error
			if limit, err = number(&a.Params[0]); err != nil {
				return nil, err
			}
		} else if len(a.Params) > 1 {
			return nil, errParams
		}
		return func(c *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return failed
			}
			b := v.Text(c)
			n, ok := limit.eval(c)
			if !ok {
				return failed
			}
			if n <= 0 || n > len(b) {
				n = len(b)
			}
			if n > 1024 {
				return failed // the list would be half a megabyte and more
			}
			d := c.Scratch.Tail(n * (n + 7) / 2)
			for i := 1; i <= n; i++ {
				if i > 1 {
					d = append(d, ',')
				}
				d = append(append(append(d, quote...), b[:i]...), quote...)
			}
			return route.Str(c.Scratch.Keep(d))
		}, nil
	}
}

var errLineLength = errors.New("lines must have at least one character")

// lines breaks a text after every n characters with a line end and m blanks.
func lines(blank byte) binder {
	return func(a *route.TransArgs) (step, error) {
		if len(a.Params) != 2 {
			return nil, errParams
		}
		width, err := number(&a.Params[0])
		if err != nil {
			return nil, err
		}
		indent, err := number(&a.Params[1])
		if err != nil {
			return nil, err
		}
		if width.pv == nil && width.n < 1 {
			return nil, errLineLength
		}
		return func(c *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return failed
			}
			b := v.Text(c)
			n, ok1 := width.eval(c)
			m, ok2 := indent.eval(c)
			if !ok1 || !ok2 || n < 1 || m < 0 || m > 256 {
				return failed
			}
			d := c.Scratch.Tail(len(b) + (len(b)/n+1)*(m+2))
			if d == nil {
				return failed
			}
			for len(b) > n {
				d = append(append(d, b[:n]...), '\r', '\n')
				for range m {
					d = append(d, blank)
				}
				b = b[n:]
			}
			return route.Str(c.Scratch.Keep(append(d, b...)))
		}, nil
	}
}

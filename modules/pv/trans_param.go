package pv

import (
	"bytes"
	"strings"

	"kahea/cfglang/route"
)

// paramTrans are the methods on lists of parameters. The delimiter is the last argument, ';' unless it is given.
func paramTrans() map[string]binder {
	return map[string]binder{
		"value": bindParam(func(l *paramList, name []byte, _ int) route.Value {
			if l.find(name) {
				return route.Str(l.value)
			}
			return route.Str(empty)
		}, true, false),
		"in": bindParam(func(l *paramList, name []byte, _ int) route.Value {
			return route.Int(int64(b2i(l.find(name))))
		}, true, false),
		"valueat": bindParam(func(l *paramList, _ []byte, n int) route.Value {
			if l.at(n) {
				return route.Str(l.value)
			}
			return route.Str(empty)
		}, false, true),
		"name": bindParam(func(l *paramList, _ []byte, n int) route.Value {
			if l.at(n) {
				return route.Str(l.name)
			}
			return route.Str(empty)
		}, false, true),
		"count": bindParam(func(l *paramList, _ []byte, _ int) route.Value {
			return route.Int(int64(l.count()))
		}, false, false),
	}
}

func bindParam(f func(l *paramList, name []byte, n int) route.Value, byName, byIndex bool) binder {
	return func(a *route.TransArgs) (step, error) {
		p := a.Params
		var name *route.TransParam
		var index intParam
		if byName || byIndex {
			if len(p) == 0 {
				return nil, errParams
			}
			if byName {
				name = &p[0]
			} else {
				var err error
				if index, err = number(&p[0]); err != nil {
					return nil, err
				}
			}
			p = p[1:]
		}
		delim := byte(';')
		if len(p) == 1 {
			d := strings.TrimSpace(p[0].Text)
			if len(d) != 1 || p[0].PV != nil {
				return nil, errChar
			}
			delim = d[0]
		} else if len(p) > 1 {
			delim = ',' // {param.value,x,,}
		}
		return func(c *route.Ctx, v route.Value) route.Value {
			if v.IsNull() {
				return failed
			}
			var want []byte
			if name != nil {
				want = name.Eval(c)
			}
			n, ok := index.eval(c)
			l := paramList{b: v.Text(c), delim: delim, stop: ','}
			if delim == ',' {
				l.stop = 0
			}
			if !ok || len(l.b) == 0 || !l.valid() {
				return failed
			}
			return f(&l, want, n)
		}, nil
	}
}

// paramList walks name=value pairs.
type paramList struct {
	b           []byte
	delim       byte
	stop        byte // ends the list, outside quotes; 0: nothing does
	rest        []byte
	name, value []byte
	more        bool // a parameter was read, so rest begins with a delimiter
	bad         bool
}

// rewind goes back to the first parameter.
func (l *paramList) rewind() { l.rest, l.more = l.b, false }

func (l *paramList) next() bool {
	l.name, l.value = nil, nil
	b := trimLeft(l.rest)
	if l.more && len(b) > 0 {
		b = trimLeft(b[1:]) // the delimiter
	}
	if len(b) == 0 {
		return false
	}
	l.more = true
	i := 0
	for i < len(b) && b[i] != '=' && b[i] != l.delim && (l.stop == 0 || b[i] != l.stop) {
		i++
	}
	l.name, l.value = trimRight(b[:i]), nil
	if bytes.ContainsFunc(l.name, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }) {
		l.bad = true
		return false
	}
	if i < len(b) && b[i] == '=' {
		b = trimLeft(b[i+1:])
		i = 0
		if len(b) > 0 && (b[0] == '"' || b[0] == '\'') {
			i = bytes.IndexByte(b[1:], b[0]) + 1
			if i == 0 {
				l.bad = true
				return false
			}
			l.value = b[1:i]
			i++
		} else {
			for i < len(b) && b[i] != l.delim && !isWS(b[i]) && (l.stop == 0 || b[i] != l.stop) {
				i++
			}
			if l.value = b[:i]; i == 0 && len(b) > 0 {
				l.bad = true // x=;y
				return false
			}
		}
		if r := trimLeft(b[i:]); len(r) > 0 && r[0] != l.delim && (l.stop == 0 || r[0] != l.stop) {
			l.bad = true
			return false
		}
		b = trimLeft(b[i:])
		i = 0
	}
	if l.rest = b[i:]; l.stop != 0 && len(l.rest) > 0 && l.rest[0] == l.stop {
		l.rest = nil
	}
	return true
}

// valid reads the whole list once, as Kamailio does: something wrong anywhere spoils all of it.
func (l *paramList) valid() bool {
	l.rewind()
	for l.next() {
	}
	l.rewind()
	return !l.bad && (len(l.b) == 0 || !isWS(l.b[0]))
}

func (l *paramList) count() (n int) {
	for l.next() {
		n++
	}
	return n
}

// find leaves the last parameter of a name, in any case, in value (nil: there is none).
func (l *paramList) find(name []byte) bool {
	var value []byte
	found := false
	for l.next() {
		if bytes.EqualFold(l.name, name) {
			value, found = l.value, true
		}
	}
	l.value = value
	return found
}

func (l *paramList) at(n int) bool {
	if n < 0 {
		n += l.count()
		l.rewind()
		if n < 0 {
			return false
		}
	}
	for l.next() {
		if n == 0 {
			return true
		}
		n--
	}
	return false
}

// Package xlog writes log lines of the script: texts with pseudo-variables in them. The level is checked before anything is evaluated.
package xlog

import (
	"errors"
	"fmt"
	"log/syslog"
	"strconv"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
)

func init() {
	modules.Register("xlog", func() modules.Module {
		return &mod{bufSize: 4096, prefix: "<script>: ", methods: -1}
	})
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
)

type mod struct {
	bufSize    int
	forceColor int
	longFormat int
	prefix     string
	prefixMode int
	methods    int // bits of the methods for which xlogm is silent
	newline    int
	facility   syslog.Priority // 0: the core's

	prefixFmt *route.Format // prefix_mode 1
	colour    bool          // $C prints
	colours   []levelColour
}

func (m *mod) Exports() modules.Exports {
	fixed := func(name string, v log.Level) route.Func {
		return route.Func{Name: name, Args: "s", From: route.AnyRoute, Doc: "xlog at level " + v.String(), Compile: func(e route.Env, a *route.Args) (func(*route.Ctx) int, error) {
			return m.compile(e, a, call{level: v, text: 0})
		}}
	}
	many := func(name string, where bool, doc string) route.Func {
		return route.Func{Name: name, Args: "s|ss", From: route.AnyRoute, Doc: doc, Compile: func(e route.Env, a *route.Args) (func(*route.Ctx) int, error) {
			return m.compileMany(e, a, where)
		}}
	}
	return modules.Exports{
		Params: []modules.Param{
			{Name: "buf_size", Int: &m.bufSize, Min: 1, Max: 1 << 24, Doc: "a text of this many bytes or more is not written, but an error; 4096"},
			{Name: "force_color", Int: &m.forceColor, Max: 1, Doc: "1: $C also when the log does not go to standard error; 0"},
			{Name: "long_format", Int: &m.longFormat, Max: 1, Doc: "1: xlogl and xdbgl print file:line, not the line only; 0"},
			{Name: "prefix", Str: &m.prefix, Doc: `text before each line, "<script>: "`},
			{Name: "prefix_mode", Int: &m.prefixMode, Max: 1, Doc: "1: variables in prefix are evaluated; 0"},
			{Name: "methods_filter", Runtime: "methods_filter", Int: &m.methods, Doc: "sum of the methods ($rmid) for which xlogm is silent; -1: all"},
			{Name: "auto_newline", Int: &m.newline, Max: 1, Doc: "1: a line end is added to a text that has none; 0"},
			{Name: "log_facility", Func: m.setFacility, Type: modules.StrParam, Doc: `syslog facility of xlog's lines ("LOG_LOCAL0"); the core's`},
			{Name: "log_colors", Func: m.setColours, Type: modules.StrParam, Doc: `colours of all lines by level, with log_color: "L_ERR=cr;L_WARN=px", foreground and background as in $C`},
		},
		Funcs: []route.Func{
			many("xlog", false, "log ([facility,] [level,] text); the level is ERROR unless it is given"),
			many("xlogl", true, "xlog with the place in the configuration"),
			fixed("xdbg", log.Debug), fixed("xinfo", log.Info), fixed("xnotice", log.Notice), fixed("xwarn", log.Warn), fixed("xerr", log.Err),
			fixed("xbug", log.Bug), fixed("xcrit", log.Crit), fixed("xalert", log.Alert),
			{Name: "xdbgl", Args: "s", From: route.AnyRoute, Doc: "xdbg with the place in the configuration", Compile: func(e route.Env, a *route.Args) (func(*route.Ctx) int, error) {
				return m.compile(e, a, call{level: log.Debug, text: 0, where: true})
			}},
			{Name: "xlogm", Args: "ss", From: route.AnyRoute, Doc: "xlog(level, text), but not for the methods in methods_filter", Compile: func(e route.Env, a *route.Args) (func(*route.Ctx) int, error) {
				f, err := m.compileMany(e, a, false)
				if err != nil {
					return nil, err
				}
				return func(c *route.Ctx) int {
					if uint32(m.methods)&uint32(c.Msg.Method()) != 0 {
						return 1
					}
					return f(c)
				}, nil
			}},
		},
		Vars: []route.Var{{Name: "C", Bind: m.bindColour, Doc: "terminal colours: $C(xy), foreground and background"}},
	}
}

func (m *mod) setFacility(v modules.Value) error {
	f, ok := log.ParseFacility(v.Str)
	if !ok {
		return fmt.Errorf("%q is no syslog facility", v.Str)
	}
	m.facility = f
	return nil
}

func (m *mod) Setup(h *modules.Host) error {
	stderr, _ := h.Core("log_stderror") // absent: not set
	for _, x := range m.colours {
		h.Proc.Log.SetColour(x.level, x.seq)
	}
	m.colour = stderr.Int != 0 || m.forceColor != 0
	if m.prefixMode != 0 {
		f, err := h.Env.ParseFormat(m.prefix)
		if err != nil {
			return fmt.Errorf("prefix: %w", err)
		}
		m.prefixFmt = f
	}
	return nil
}

// call is one use of a function of the family.
type call struct {
	level    log.Level
	levelPV  route.Getter // level known at run time only
	facility syslog.Priority
	text     int  // which argument the text is
	where    bool // print the place
}

var errNotConst = errors.New("the text must be constant (variables stand inside of it)")

func (m *mod) compileMany(e route.Env, a *route.Args, where bool) (func(*route.Ctx) int, error) {
	x := call{level: log.Err, text: a.N - 1, where: where}
	if a.N == 3 {
		s, _ := a.ConstStr(0)
		var ok bool
		if x.facility, ok = log.ParseFacility(s); !ok {
			return nil, fmt.Errorf("%q is no syslog facility", s)
		}
	}
	if a.N > 1 {
		arg := a.At(a.N - 2)
		switch {
		case arg.Const && arg.IsNum:
			return nil, fmt.Errorf("level %d: write it as L_ERR, L_WARN and so on", arg.Num)
		case arg.Const:
			v, ok := parseLevel(string(arg.Text))
			if !ok {
				return nil, fmt.Errorf("unknown log level %q", arg.Text)
			}
			x.level = v
		case arg.Fmt != nil && arg.Fmt.Single() != nil:
			x.levelPV = arg.Fmt.Single().Get
		default:
			return nil, errors.New("the level must be a constant or one variable")
		}
	}
	return m.compile(e, a, x)
}

// parseLevel knows L_ALERT ... L_DBG by the letter behind "L_", as Kamailio.
func parseLevel(s string) (log.Level, bool) {
	if len(s) < 3 {
		return 0, false
	}
	switch s[2] {
	case 'A':
		return log.Alert, true
	case 'B':
		return log.Bug, true
	case 'C':
		return log.Crit, true
	case 'E':
		return log.Err, true
	case 'W':
		return log.Warn, true
	case 'N':
		return log.Notice, true
	case 'I':
		return log.Info, true
	case 'D':
		return log.Debug, true
	}
	return 0, false
}

func (m *mod) compile(e route.Env, a *route.Args, x call) (func(*route.Ctx) int, error) {
	if a.At(x.text).Eval != nil {
		return nil, errNotConst
	}
	var place []byte
	file, line := e.Pos()
	if x.where {
		if m.longFormat != 0 {
			place = append(append(place, file...), ':')
		}
		place = append(strconv.AppendInt(place, int64(line), 10), ':')
	}
	if x.facility == 0 {
		x.facility = m.facility
	}
	return func(c *route.Ctx) int {
		v := x.level
		if x.levelPV != nil {
			l := x.levelPV(c)
			if l.Flags&route.FlagInt == 0 || l.Int < int64(log.Alert) || l.Int > int64(log.Debug) {
				c.Logf(log.Err, "xlog", "log level %q is not in %d to %d", l.Text(c), log.Alert, log.Debug)
				return -1
			}
			v = log.Level(l.Int)
		}
		if !c.P.Log.On(v) {
			return 1
		}
		text, ok := a.Str(c, x.text)
		if !ok || len(text) >= m.bufSize {
			c.Logf(log.Err, "xlog", "text of %d bytes is too long for buf_size %d", len(text), m.bufSize)
			return -1
		}
		if place != nil {
			text = c.Scratch.Concat(place, text)
		}
		if m.newline != 0 && (len(text) == 0 || text[len(text)-1] != '\n') {
			text = c.Scratch.Concat(text, newline)
		}
		prefix, where := c.LogPrefix(), m.prefix
		if m.prefixFmt != nil {
			b, _ := m.prefixFmt.Eval(c) // memory ran out: no prefix
			prefix, where = c.Scratch.Concat(prefix, b), ""
		}
		c.P.Log.Write(&log.Line{Level: v, Facility: x.facility, Prefix: prefix, Where: where, File: file, Number: line, CallID: c.Msg.CallID(), Raw: true}, text)
		return 1
	}, nil
}

var newline = []byte("\n")

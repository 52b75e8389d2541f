// Package log writes kahea's log in Kamailio's formats: to standard error or to syslog, a line a message, at or below the
// level in force. A Logger belongs to one process; Level may be read and changed from any goroutine, the rest from any goroutine too
// (lines are written whole).
//
// A caller on a hot path asks On first, so that nothing is formatted for nothing.
package log

import (
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Level of a line: it is written when Level <= the debug parameter.
type Level int32

// Kamailio's levels.
const (
	Alert  Level = -5
	Bug    Level = -4
	Crit   Level = -3
	Err    Level = -1
	Warn   Level = 0
	Notice Level = 1
	Info   Level = 2
	Debug  Level = 3
)

var names = [...]string{"ALERT", "BUG", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"}

// String is the name as it is printed.
func (l Level) String() string {
	l = min(max(l, Alert), Debug)
	return names[l+5]
}

// colours are those of log_color by level, as Kamailio has them; Plain stands behind a line.
var colours = [Debug - Alert + 1]string{"\x1b[1;31;49m", "\x1b[1;35;49m", "\x1b[0;33;49m", "\x1b[0;33;49m", "\x1b[0;31;49m", "\x1b[0;35;49m", "\x1b[0;32;49m", "\x1b[0;36;49m", plain}

const plain = "\x1b[0;39;49m"

// Options of a Logger.
type Options struct {
	Stderr   bool      // -E, log_stderror
	Colour   bool      // -e, log_color
	Out      io.Writer // nil: os.Stderr
	Ident    string    // log_name
	Facility syslog.Priority
	JSON     *JSON // the engine; nil: text
	Slot     int   // index in the process table, printed on stderr
}

// Line is what stands around a text.
type Line struct {
	Level    Level
	Facility syslog.Priority // 0: log_facility
	Prefix   []byte          // evaluated log_prefix, printed before Where
	Where    string          // "<core>: ", "<script>: ", "tm: "; of a text without one the module is the core
	File     string          // of the configuration, and Number its line: where a script wrote it
	Number   int
	Place    bool   // print File and Number behind Where
	CallID   []byte // of the message in hand
	Raw      bool   // the text ends as the script ended it; else a line end is added when it has none
}

// module is the name in Where.
func (l *Line) module() string {
	switch name := strings.Trim(l.Where, "<>: "); name {
	case "":
		return "core"
	case "script":
		return "xlog"
	default:
		return name
	}
}

// Logger of one process.
type Logger struct {
	level atomic.Int32
	local atomic.Int32 // setdebug(): level of this process, when set
	isSet atomic.Bool
	o     Options
	pid   int
	mu    sync.Mutex
	buf   []byte
	sys   map[syslog.Priority]*syslog.Writer // by facility
	shm   atomic.Pointer[int64]              // the debug parameter in shared memory, once there is one
	paint [len(colours)]string               // by level
}

// New makes a logger. A syslog that cannot be reached is not an error: lines are dropped until it can (as libc's syslog does).
func New(o Options, level Level) *Logger {
	l := &Logger{o: o, pid: os.Getpid(), paint: colours}
	if l.o.Out == nil {
		l.o.Out = os.Stderr
	}
	l.level.Store(int32(level))
	return l
}

// Close gives back the connections to syslog; a line that is written later opens one anew.
func (l *Logger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, w := range l.sys {
		errs = append(errs, w.Close())
	}
	l.sys = nil
	return errors.Join(errs...)
}

// SetColour changes the colour of a level: seq is the terminal's sequence.
func (l *Logger) SetColour(v Level, seq string) {
	l.mu.Lock()
	l.paint[min(max(v, Alert), Debug)-Alert] = seq
	l.mu.Unlock()
}

// Follow makes the level that of a word in shared memory, which an RPC may change.
func (l *Logger) Follow(p *int64) { l.shm.Store(p) }

// SetLocal sets the level of this process alone (setdebug); ClearLocal undoes it.
func (l *Logger) SetLocal(v Level) { l.local.Store(int32(v)); l.isSet.Store(true) }
func (l *Logger) ClearLocal()      { l.isSet.Store(false) }

// On says whether a line of level v would be written.
func (l *Logger) On(v Level) bool {
	if l.isSet.Load() {
		return int32(v) <= l.local.Load()
	}
	if p := l.shm.Load(); p != nil {
		return int64(v) <= atomic.LoadInt64(p)
	}
	return int32(v) <= l.level.Load()
}

// Printf writes a line of the core or of a module: "IDX(PID) LEVEL: <where>: text".
func (l *Logger) Printf(v Level, where, format string, a ...any) {
	if l.On(v) {
		l.Write(&Line{Level: v, Where: where}, fmt.Appendf(nil, format, a...))
	}
}

// Write writes a line without asking for the level.
func (l *Logger) Write(x *Line, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf[:0]
	if l.o.JSON != nil {
		b = l.o.JSON.append(b, x, text, l.o.Stderr, l.o.Slot, l.pid)
	} else {
		b = l.append(b, x, text)
	}
	l.buf = b[:0]
	if cap(l.buf) > 64<<10 {
		l.buf = nil
	}
	if l.o.Stderr {
		l.o.Out.Write(b) //nolint:errcheck // there is nowhere to report that the log cannot be written
		return
	}
	l.toSyslog(x.Level, x.Facility, b)
}

// append is the text form.
func (l *Logger) append(b []byte, x *Line, text []byte) []byte {
	if l.o.Stderr {
		if l.o.Colour {
			b = append(b, l.paint[min(max(x.Level, Alert), Debug)-Alert]...)
		}
		if l.o.Slot < 10 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(l.o.Slot), 10)
		b = append(b, '(')
		b = strconv.AppendInt(b, int64(l.pid), 10)
		b = append(b, ") "...)
	}
	b = append(b, x.Level.String()...)
	b = append(b, ": "...)
	b = append(b, x.Prefix...)
	if where, ok := strings.CutSuffix(x.Where, ": "); ok && x.Place {
		b = append(append(append(append(b, where...), " ["...), x.File...), ':')
		b = append(strconv.AppendInt(b, int64(x.Number), 10), "]: "...)
	} else {
		b = append(b, x.Where...)
	}
	b = append(b, text...)
	if !x.Raw && (len(text) == 0 || text[len(text)-1] != '\n') {
		b = append(b, '\n')
	}
	if l.o.Stderr && l.o.Colour {
		b = append(b, plain...)
	}
	return b
}

func (l *Logger) toSyslog(v Level, facility syslog.Priority, b []byte) {
	if facility == 0 {
		facility = l.o.Facility
	}
	sys := l.sys[facility]
	if sys == nil {
		var err error
		if sys, err = syslog.New(facility|syslog.LOG_INFO, l.o.Ident); err != nil {
			return
		}
		if l.sys == nil {
			l.sys = map[syslog.Priority]*syslog.Writer{}
		}
		l.sys[facility] = sys
	}
	s := string(b)
	switch {
	case v <= Alert:
		sys.Alert(s) //nolint:errcheck // see write
	case v <= -2:
		sys.Crit(s) //nolint:errcheck
	case v <= Err:
		sys.Err(s) //nolint:errcheck
	case v <= Warn:
		sys.Warning(s) //nolint:errcheck
	case v <= Notice:
		sys.Notice(s) //nolint:errcheck
	case v <= Info:
		sys.Info(s) //nolint:errcheck
	default:
		sys.Debug(s) //nolint:errcheck
	}
}

// ParseFacility knows LOG_LOCAL0 and its like, in any case.
func ParseFacility(name string) (syslog.Priority, bool) {
	f, ok := facilities[strings.ToUpper(name)]
	return f, ok
}

var facilities = map[string]syslog.Priority{
	"LOG_AUTH": syslog.LOG_AUTH, "LOG_AUTHPRIV": syslog.LOG_AUTHPRIV, "LOG_CRON": syslog.LOG_CRON, "LOG_DAEMON": syslog.LOG_DAEMON,
	"LOG_FTP": syslog.LOG_FTP, "LOG_KERN": syslog.LOG_KERN, "LOG_LPR": syslog.LOG_LPR, "LOG_MAIL": syslog.LOG_MAIL,
	"LOG_NEWS": syslog.LOG_NEWS, "LOG_SYSLOG": syslog.LOG_SYSLOG, "LOG_USER": syslog.LOG_USER, "LOG_UUCP": syslog.LOG_UUCP,
	"LOG_LOCAL0": syslog.LOG_LOCAL0, "LOG_LOCAL1": syslog.LOG_LOCAL1, "LOG_LOCAL2": syslog.LOG_LOCAL2, "LOG_LOCAL3": syslog.LOG_LOCAL3,
	"LOG_LOCAL4": syslog.LOG_LOCAL4, "LOG_LOCAL5": syslog.LOG_LOCAL5, "LOG_LOCAL6": syslog.LOG_LOCAL6, "LOG_LOCAL7": syslog.LOG_LOCAL7,
}

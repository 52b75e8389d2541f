package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"kahea/cfglang/log"
)

// options is the command line. It is sealed for the children together with the configuration.
type options struct {
	File       string
	Builtin    bool // --default-cfg
	Check      bool
	Debug      int // count of -d, or --debug
	DebugSet   bool
	Fork       int // count of -D
	Colour     bool
	Stderr     bool
	Listen     []string
	Aliases    []string
	Defines    []string
	Children   int
	TCPWorkers int
	Shm, Pkg   int // MB
	ShmAlloc   string
	PkgAlloc   string
	PidFile    string
	PgidFile   string
	User       string
	Group      string
	Workdir    string
	Chroot     string
	RunDir     string
	ModPath    string
	NoTCP      bool
	Poll       string
	MaxBuffer  int
	MaxSndBuf  int
	AutoAlias  string
	LoadModule []string // --loadmodule
	ModParam   []string // --modparam
	Subst      []string
	SubstDef   []string
	SubstDefs  []string
	ServerID   int
	IUID       string
	CheckVia   bool
	CfgPrint   bool
	Internals  bool // -I
	AtExit     string
	Optimiser  int // -O
	SCTP       int // -Q
	NoSCTP     bool
	AllErrors  bool
	Profile    string
	Tune       string // --tune
	LogEngine  string // --log-engine
	DNS        bool
	RevDNS     bool
	Help       bool
	Version    bool
	set        map[string]bool // short or long names that were given
	fileArg    bool            // the configuration may stand without -f
	fixed      *fixed          // of the server that runs, when this is a reload
}

// errUsage is a mistake on the command line; it was printed.
var errUsage = errors.New("usage")

const (
	defaultFile   = "/etc/kamailio/kamailio.cfg"
	defaultShmMB  = 64
	defaultPkgMB  = 8
	maxShmMB      = 16 << 20
	maxPkgMB      = 1 << 20
	defaultRunDir = "/run/kamailio"
)

// flags describes every option once: parsing and -h read it.
func (o *options) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("kahea", pflag.ContinueOnError)
	f.SortFlags = false
	f.SetInterspersed(true)
	f.StringVarP(&o.AutoAlias, "auto-aliases", "a", "", "auto aliases mode: yes or on, no or off")
	f.StringArrayVar(&o.Aliases, "alias", nil, "add an alias, '[proto:]hostname[:port]' (as the alias parameter)")
	f.StringArrayVar(&o.Aliases, "domain", nil, "as --alias")
	f.StringArrayVarP(&o.Defines, "define", "A", nil, "preprocessor define (-A WITH_AUTH, -A 'FLT_ACC=1', -A 'DEFVAL=\"str-val\"')")
	f.BoolVar(&o.AllErrors, "all-errors", false, "report all errors of the configuration: kahea always does")
	f.StringVar(&o.AtExit, "atexit", "", "exit handlers of C libraries (y, yes, 1, n, no, 0): there are none in kahea")
	f.IntVarP(&o.MaxBuffer, "maxbuffer", "b", 0, "largest UDP receive buffer that is probed for, in bytes")
	f.IntVarP(&o.MaxSndBuf, "maxsndbuffer", "B", 0, "largest UDP send buffer that is probed for, in bytes")
	f.BoolVarP(&o.Check, "check", "c", false, "check the configuration file and exit")
	f.BoolVar(&o.CfgPrint, "cfg-print", false, "print the configuration after includes and conditional parts, and exit")
	f.BoolVar(&o.Builtin, "default-cfg", false, "run kahea's own default configuration instead of a file")
	f.CountVarP(&o.Debug, "verbose", "d", "debug level (several -d raise it from 0)")
	f.Func("debug", "debug level by value", func(s string) error {
		n, err := strconv.Atoi(s)
		o.Debug, o.DebugSet = n, true
		return err
	})
	f.CountVarP(&o.Fork, "daemonize", "D", "-D: do not fork; -DD: fork but stay in the foreground; -DDD: daemonize (default)")
	f.BoolVarP(&o.Colour, "colour", "e", false, "log in terminal colours (with -E)")
	f.BoolVarP(&o.Stderr, "stderr", "E", false, "log to standard error")
	f.StringVarP(&o.File, "file", "f", "", "configuration file (default "+defaultFile+"); - is standard input")
	f.StringVarP(&o.Group, "group", "g", "", "run as this group")
	f.StringVarP(&o.PgidFile, "pgid-file", "G", "", "create a file with the process group id")
	f.BoolVarP(&o.Help, "help", "h", false, "this help")
	f.BoolVarP(&o.Internals, "internals", "I", false, "print what the build is made of, and exit")
	f.BoolVarP(&o.CheckVia, "check-via", "K", false, "drop replies whose topmost Via is not ours (as check_via)")
	f.StringArrayVarP(&o.Listen, "listen", "l", nil, "listen on [proto:]addr[:port][/advaddr[:port]]; may be repeated")
	f.StringArrayVar(&o.LoadModule, "loadmodule", nil, "load this module before the configuration; may be repeated")
	f.StringVar(&o.LogEngine, "log-engine", "", "structured log engine: json, or json:FLAGS with letters of aAcjpMNU")
	f.StringVarP(&o.ModPath, "module-path", "L", "", "module search path")
	f.IntVarP(&o.Shm, "shm", "m", 0, fmt.Sprintf("shared memory in megabytes (default %d)", defaultShmMB))
	f.StringArrayVar(&o.ModParam, "modparam", nil, "set a module's parameter before the configuration: module:name:s:text or module:name:i:number; may be repeated")
	f.IntVarP(&o.Pkg, "pkg", "M", 0, fmt.Sprintf("private memory of each process in megabytes (default %d)", defaultPkgMB))
	f.IntVarP(&o.Children, "children", "n", 0, "UDP workers a socket (default 8)")
	f.IntVarP(&o.TCPWorkers, "tcp-children", "N", 0, "TCP workers (default as -n)")
	f.IntVarP(&o.Optimiser, "optimiser", "O", 9, "level of Kamailio's script optimiser; kahea compiles in one way only")
	f.StringVarP(&o.PidFile, "pid-file", "P", "", "create a pid file")
	f.StringVar(&o.Profile, "profile", "", "profile every process: cpu, mem, mutex or trace, with =DIR where to (default ./profiles)")
	f.IntVarP(&o.SCTP, "sctp-children", "Q", 0, "SCTP workers; there is no SCTP, so none are started")
	f.BoolVarP(&o.DNS, "dns", "r", false, "nothing (as dns)")
	f.BoolVarP(&o.RevDNS, "rev-dns", "R", false, "ask DNS for the name of a sender before it gets a received parameter (as rev_dns)")
	f.StringVar(&o.IUID, "iuid", "", "unique id of this instance ($iuid)")
	f.IntVar(&o.ServerID, "server-id", 0, "number of this server ($sid)")
	f.StringArrayVar(&o.Subst, "subst", nil, "as #!subst before the configuration; may be repeated")
	f.StringArrayVar(&o.SubstDef, "substdef", nil, "as #!substdef")
	f.StringArrayVar(&o.SubstDefs, "substdefs", nil, "as #!substdefs")
	f.BoolVarP(&o.NoSCTP, "disable-sctp", "S", false, "no SCTP")
	f.StringVarP(&o.Chroot, "chroot", "t", "", "change root to this directory")
	f.StringVar(&o.Tune, "tune", "", "TOML overlay of the configuration (default: the configuration's name with .toml, if it is there; none: no overlay)")
	f.BoolVarP(&o.NoTCP, "disable-tcp", "T", false, "no TCP")
	f.StringVarP(&o.User, "user", "u", "", "run as this user")
	f.BoolVarP(&o.Version, "version", "v", false, "version (also -V)")
	f.BoolVarP(&o.Version, "Version", "V", false, "")
	f.StringVarP(&o.Workdir, "workdir", "w", "", "change to this directory (default /)")
	f.StringVarP(&o.Poll, "poll", "W", "", "poll method (epoll_lt, epoll_et, poll, select, sigio_rt): kahea always uses epoll")
	f.StringVarP(&o.ShmAlloc, "shm-allocator", "x", "", "allocator of shared memory: qm (default), fm or tlsf")
	f.StringVarP(&o.PkgAlloc, "pkg-allocator", "X", "", "allocator of private memory; as -x when not given")
	f.StringVarP(&o.RunDir, "run-dir", "Y", "", "directory of control sockets (default "+defaultRunDir+")")
	if err := f.MarkHidden("Version"); err != nil {
		panic(err)
	}
	return f
}

// parseArgs reads the command line; mistakes are printed to w.
func parseArgs(args []string, w io.Writer) (*options, error) {
	return (&options{set: map[string]bool{}}).parse(args, w)
}

func (o *options) parse(args []string, w io.Writer) (*options, error) {
	bad := func(format string, a ...any) (*options, error) {
		fmt.Fprintf(w, "ERROR: kahea: "+format+"\n", a...)
		return nil, errUsage
	}
	if len(args) > 0 {
		switch strings.ToLower(args[0]) {
		case "start", "stop", "restart":
			return bad("%q is no option: kahea is started by its options, and stopped by a signal (see -h)", args[0])
		}
	}
	f := o.flags()
	f.SetOutput(io.Discard)
	if err := f.Parse(args); err != nil {
		return bad("%v (see -h)", err)
	}
	if o.fileArg && o.File == "" && f.NArg() == 1 {
		o.File = f.Arg(0)
	} else if f.NArg() > 0 {
		return bad("unexpected argument %q (see -h)", f.Arg(0))
	}
	f.Visit(func(x *pflag.Flag) { o.set[x.Name] = true })
	o.DebugSet = o.DebugSet || o.set["verbose"]
	ranges := []struct {
		name   string
		val    int
		lo, hi int
	}{
		{"shm", o.Shm, 1, maxShmMB}, {"pkg", o.Pkg, 1, maxPkgMB}, {"children", o.Children, 0, 450},
		{"tcp-children", o.TCPWorkers, 0, 450}, {"maxbuffer", o.MaxBuffer, 0, 1<<31 - 1}, {"maxsndbuffer", o.MaxSndBuf, 0, 1<<31 - 1},
		{"sctp-children", o.SCTP, 0, 450}, {"server-id", o.ServerID, 0, 1<<31 - 1}, {"optimiser", o.Optimiser, 0, 1<<31 - 1},
	}
	for _, r := range ranges {
		if o.set[r.name] && (r.val < r.lo || r.val > r.hi) {
			return bad("%s %d: want %d to %d", optionName(f.Lookup(r.name)), r.val, r.lo, r.hi)
		}
	}
	if o.LogEngine != "" {
		if _, err := log.ParseEngine(o.LogEngine, ""); err != nil {
			return bad("--log-engine %s: %v", o.LogEngine, err)
		}
	}
	switch o.AutoAlias {
	case "", "on", "yes", "off", "no":
	default:
		return bad("-a %s: want on, yes, off or no", o.AutoAlias)
	}
	switch o.Poll {
	case "", "epoll_lt", "epoll_et", "poll", "select", "sigio_rt", "kqueue", "/dev/poll":
	default:
		return bad("-W %s: unknown poll method", o.Poll)
	}
	switch strings.ToLower(o.AtExit) {
	case "", "y", "yes", "1", "n", "no", "0":
	default:
		return bad("--atexit %s: want y, yes or 1, or n, no or 0", o.AtExit)
	}
	if !validProfile(o.Profile) {
		return bad("--profile %s: want cpu, mem, mutex or trace, and =DIR if you like", o.Profile)
	}
	if kind, dir, _ := strings.Cut(o.Profile, "="); kind != "" {
		if dir == "" {
			dir = "profiles"
		}
		o.Profile = kind + "=" + absolute(dir) // the server changes its working directory
	}
	if o.set["tcp-children"] && o.NoTCP {
		return bad("-N with TCP disabled (-T)")
	}
	return o, nil
}

func optionName(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand
	}
	return "--" + f.Name
}

// noMeaning are options of Kamailio that change nothing here: accepted, so that a start script works, and said once.
func (o *options) noMeaning() (notices []string) {
	say := func(given bool, format string, a ...any) {
		if given {
			notices = append(notices, fmt.Sprintf(format, a...))
		}
	}
	say(o.Poll != "" && !strings.HasPrefix(o.Poll, "epoll"), "-W %s changes nothing: kahea's reactor is built on epoll", o.Poll)
	say(o.set["optimiser"], "-O %d changes nothing: scripts are compiled, in one way", o.Optimiser)
	say(o.DNS, "-r changes nothing: a name in a Via always gets a received parameter")
	say(o.AtExit != "", "--atexit changes nothing: there are no exit handlers of C libraries")
	say(o.set["sctp-children"], "-Q %d changes nothing: there is no SCTP", o.SCTP)
	return notices
}

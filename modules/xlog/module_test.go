package xlog_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/xlog"
)

const load = "log_stderror=yes\nloadmodule \"pv.so\"\nloadmodule \"xlog.so\"\n"

// The lines are Kamailio 5.6.3's; those of its C code are left out.
func TestLines(t *testing.T) {
	for _, tc := range []struct{ name, params, script, want string }{
		{"default level", "", `xlog("plain $rm\n");`, "ERROR: <script>: plain INVITE\n"},
		{"levels", "debug=3\n", `xlog("L_ALERT", "a\n"); xlog("L_BUG", "b\n"); xlog("L_CRIT", "c\n"); xlog("L_ERR", "e\n"); xlog("L_WARN", "w\n");
			xlog("L_NOTICE", "n\n"); xlog("L_INFO", "i\n"); xlog("L_DBG", "d\n"); xlog("L_NPRL", "p\n"); xlog("L_ERROR", "ee\n"); xlog("L_WARNING", "ww\n");`,
			"ALERT: <script>: a\nBUG: <script>: b\nCRITICAL: <script>: c\nERROR: <script>: e\nWARNING: <script>: w\nNOTICE: <script>: n\nINFO: <script>: i\n" +
				"DEBUG: <script>: d\nNOTICE: <script>: p\nERROR: <script>: ee\nWARNING: <script>: ww\n"},
		{"one function a level", "debug=3\n", `xdbg("d\n"); xinfo("i\n"); xnotice("n\n"); xwarn("w\n"); xerr("e\n"); xbug("b\n"); xcrit("c\n"); xalert("a\n");`,
			"DEBUG: <script>: d\nINFO: <script>: i\nNOTICE: <script>: n\nWARNING: <script>: w\nERROR: <script>: e\nBUG: <script>: b\nCRITICAL: <script>: c\nALERT: <script>: a\n"},
		{"below the level", "debug=0\n", `xinfo("i\n"); xlog("L_NOTICE", "n\n"); xwarn("w\n");`, "WARNING: <script>: w\n"},
		{"level of a variable", "", `$var(l) = 2; xlog("$var(l)", "x\n");`, "INFO: <script>: x\n"},
		{"level of a text", "", `$var(l) = "L_WARN"; xlog("$var(l)", "x\n"); xerr("$rc\n");`,
			"ERROR: xlog [test.cfg:5]: log level \"L_WARN\" is not in -5 to 3\nERROR: <script>: -1\n"},
		{"three parameters", "", `xlog("LOG_LOCAL1", "L_ERR", "three\n");`, "ERROR: <script>: three\n"},
		{"null and dollar", "", `xlog("null $avp(x) $$ end\n");`, "ERROR: <script>: null <null> $ end\n"},
		{"failed transformation", "", `xlog("[$(avp(x){s.len})] after\n");`, "ERROR: <script>: [] after\n"},
		{"text in pieces", "", `xlog("L_WARN", "a $rm " + "b\n");`, "WARNING: <script>: a INVITE b\n"},
		{"prefix of the message", "log_prefix=\"{$mt $hdr(CSeq) $ci} \"\n", `xlog("text\n");`, "ERROR: {1 1 INVITE call-1@127.0.0.1} <script>: text\n"},
		{"prefix", "modparam(\"xlog\", \"prefix\", \"PFX: \")\n", `xlog("text\n");`, "ERROR: PFX: text\n"},
		{"prefix with variables", "modparam(\"xlog\", \"prefix\", \"$rm-\")\nmodparam(\"xlog\", \"prefix_mode\", 1)\n", `xlog("text\n");`, "ERROR: INVITE-text\n"},
		{"line", "", `xlogl("text\n"); xlogl("L_WARN", "text\n");`, "ERROR: <script>: 5:text\nWARNING: <script>: 5:text\n"},
		{"file and line", "modparam(\"xlog\", \"long_format\", 1)\n", `xlogl("text\n");`, "ERROR: <script>: test.cfg:6:text\n"},
		{"filter: all methods", "", `xlogm("L_ERR", "text\n");`, ""},
		{"filter: this method", "modparam(\"xlog\", \"methods_filter\", 1)\n", `xlogm("L_ERR", "text\n");`, ""},
		{"filter: another method", "modparam(\"xlog\", \"methods_filter\", 2)\n", `xlogm("L_ERR", "text\n");`, "ERROR: <script>: text\n"},
		{"too long", "modparam(\"xlog\", \"buf_size\", 20)\n", `xlog("text 12345678901234567890\n"); xlog("short\n");`,
			"ERROR: xlog [test.cfg:6]: text of 26 bytes is too long for buf_size 20\nERROR: <script>: short\n"},
		{"no line end", "", `xlog("a"); xlog("b\n");`, "ERROR: <script>: a 0(PID) ERROR: <script>: b\n"},
		{"line end added", "modparam(\"xlog\", \"auto_newline\", 1)\n", `xlog("a"); xlog("b\n");`, "ERROR: <script>: a\nERROR: <script>: b\n"},
		{"colours", "", `xlog("$C(rx)red$C(xx) $C(Rs) $C(cp)\n");`, "ERROR: <script>: \x1b[0;31;49mred\x1b[0;39;49m \x1b[1;31;40m \x1b[0;36;45m\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			core, mods := "", tc.params
			if !strings.HasPrefix(mods, "modparam") {
				core, mods = mods, ""
			}
			s := modtest.Start(t, core+load+mods+"request_route {\n"+tc.script+"\n}")
			s.Receive(modtest.Request("INVITE", "sip:bob@example.com"))
			got := s.Log()
			if tc.name == "no line end" {
				head, rest, _ := strings.Cut(got, " 0(")
				_, rest, _ = strings.Cut(rest, ")")
				got = head + " 0(PID)" + rest
			}
			if got != tc.want {
				t.Errorf("\n got %q\nwant %q", got, tc.want)
			}
		})
	}
}

// log_colors says the colours of log_color.
func TestLogColours(t *testing.T) {
	s := modtest.Start(t, load+`
modparam("xlog", "log_colors", "L_ERR=cr; L_WARN=Px")
modparam("xlog", "log_colors", "L_ALERT=xx")
request_route { exit; }`)
	var b bytes.Buffer
	s.Proc.Log = log.New(log.Options{Stderr: true, Colour: true, Out: &b}, log.Debug)
	if err := s.Host.Find("xlog").(modules.Setuper).Setup(s.Host); err != nil {
		t.Fatal(err)
	}
	for _, v := range []log.Level{log.Err, log.Warn, log.Alert, log.Notice} {
		s.Proc.Log.Printf(v, "", "x")
	}
	var got []string
	for l := range strings.Lines(b.String()) {
		_, c, _ := strings.Cut(l, "\x1b[0;39;49m\x1b[")
		if got == nil {
			c = l[2:]
		}
		c, _, _ = strings.Cut(c, "m")
		got = append(got, c)
	}
	if want := []string{"0;36;41", "1;35;49", "0;39;49", "0;32;49", ""}; !slices.Equal(got, want) {
		t.Errorf("colours are %q, want %q, in %q", got, want, b.String())
	}
}

func TestStartErrors(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"unknown level", `xlog("L_FOO", "x");`, `unknown log level "L_FOO"`},
		{"no level", `xlog("FOO", "x");`, "unknown log level"},
		{"level as a number", `xlog(1, "x");`, "write it as L_ERR"},
		{"facility", `xlog("LOG_FOO", "L_ERR", "x");`, "is no syslog facility"},
		{"variable that is not there", `xlog("$nosuch\n");`, `unknown variable "$nosuch"`},
		{"text that is no constant", `xlog($rU);`, "must be constant"},
		{"two parameters", `xdbg("L_ERR", "x");`, "got 2 parameters, want 1"},
		{"level of log_colors", "}\nmodparam(\"xlog\", \"log_colors\", \"L_ERR=cr;L_X=xx\")\nroute[X] { exit;", `"L_X" is no log level`},
		{"letter of log_colors", "}\nmodparam(\"xlog\", \"log_colors\", \"L_ERR=qq\")\nroute[X] { exit;", "two letters"},
		{"colour", `xlog("$C(zz)\n");`, "two letters"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := modtest.Load(t, load+"request_route { "+tc.script+" }")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

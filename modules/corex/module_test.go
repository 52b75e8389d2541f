package corex_test

import (
	"strings"
	"testing"

	_ "kahea/modules/corex"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/xlog"
)

const head = `
listen=udp:127.0.0.1:5060 name "one"
listen=udp:127.0.0.1:5062
loadmodule "corex.so"
loadmodule "pv.so"
loadmodule "xlog.so"
modparam("corex", "alias_subdomains", "example.net")
`

// The codes and values are Kamailio 5.6.3's.
func TestFunctions(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"branch", `append_branch("sip:a@b.c"); xlog("$rc $(branch(count)) $(branch(uri)[0])");`, "1 1 sip:a@b.c"},
		{"branch with q", `append_branch("sip:a@b.c", "0.5"); xlog("$rc $(branch(q)[0])");`, "1 500"},
		{"copy of the R-URI", `append_branch(); xlog("$rc $(branch(uri)[0])");`, "1 sip:bob@example.com"},
		{"the URI is not checked", `append_branch("bad"); xlog("$rc $(branch(uri)[0])");`, "1 bad"},
		{"bad q", `append_branch("sip:a@b.c", "1.5"); xlog("$rc $(branch(count))");`, "-1 <null>"},
		{"extended flags", `setxflag(40); isxflagset(40); xlog("$rc "); isxflagset("41"); xlog("$rc "); resetxflag("40"); isxflagset(40); xlog("$rc");`, "1 -1 -1"},
		{"send socket", `set_send_socket("udp:127.0.0.1:5062"); xlog("$rc $fs");`, "1 udp:127.0.0.1:5062"},
		{"no such send socket", `set_send_socket("udp:127.0.0.1:9"); xlog("$rc $fs");`, "1 <null>"},
		{"send socket by name", `set_send_socket_name("one"); xlog("$rc $fs");`, "1 udp:127.0.0.1:5060"},
		{"receive socket", `set_recv_socket("udp:127.0.0.1:5062"); xlog("$rc $Rp");`, "1 5062"},
		{"socket name", `is_socket_name("one"); xlog("$rc "); is_socket_name("two"); xlog("$rc");`, "1 -1"},
		{"faked", `is_faked_msg(); xlog("$rc");`, "-1"},
		{"place", "\nxlog(\"$cfg(line)\");", "9"},
		{"subdomain", `if (uri == myself) xlog("yes"); else xlog("no"); $rd = "a.example.net"; if (uri == myself) xlog("yes"); $rd = "aexample.net"; if (uri == myself) xlog("yes");`, "no yes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, head+"request_route { "+tc.script+" }")
			s.Receive(modtest.Request("MESSAGE", "sip:bob@example.com"))
			if got := text(s.Log()); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// text joins what the script logged, a blank between the pieces.
func text(log string) string {
	var l []string
	for _, part := range strings.Split(log, "ERROR: <script>: ")[1:] {
		part, _, _ = strings.Cut(part, " 0(") // of the next line, which begins in the middle
		l = append(l, strings.TrimSpace(part))
	}
	return strings.Join(l, " ")
}

func TestLists(t *testing.T) {
	s := modtest.Start(t, "alias=foo.bar\nalias=udp:x.y:5080\n"+head+"request_route { exit; }")
	got, err := s.RPC("corex.list_sockets")
	if want := "\n\tPROTO: udp\n\tNAME: 127.0.0.1\n\tADDRLIST: \n\t\tADDR: 127.0.0.1\n\tPORT: 5060\n\tMCAST: no\n\tMHOMED: no\n\tVIRTUAL: no\n\tSOCKNAME: one\n\tADVERTISE: -\n"; err != nil || !strings.HasPrefix(got, want) {
		t.Errorf("sockets %q, %v", got, err)
	}
	got, err = s.RPC("corex.list_aliases")
	if want := "\n\tPROTO: udp\n\tADDR: x.y\n\tPORT: 5080\n\n\tPROTO: *\n\tADDR: foo.bar\n\tPORT: 0\n"; err != nil || got != want {
		t.Errorf("aliases %q, %v", got, err)
	}
}

package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/sipparse"
)

const replayConfig = `
listen=udp:127.0.0.1:15060
listen=tcp:127.0.0.1:15061
loadmodule "ctl.so"
loadmodule "jsonrpcs.so"
loadmodule "cfgutils.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "pv.so"
loadmodule "xlog.so"
modparam("ctl", "binrpc", "unixs:@DIR@/ctl")
request_route {
	xlog("L_ERR", "from $si:$sp to $Ri:$Rp over $proto\n");
	if (method == "OPTIONS") {
		if ($rU == "later") usleep("1000");
		sl_send_reply("200", "Replayed");
		exit;
	}
	$du = "sip:localhost:15062";
	t_relay();
}
`

const replayOPTIONS = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKr\r\nMax-Forwards: 70\r\nFrom: <sip:a>;tag=r\r\nTo: <sip:a>\r\nCall-ID: r\r\n" +
	"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"

// TestReplay runs kahea replay on files of both kinds.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	cfg := filepath.Join(dir, "kahea.cfg")
	write := func(name, text string) string {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	write("kahea.cfg", strings.ReplaceAll(replayConfig, "@DIR@", dir))
	running := write("ctl", "") // a control socket would refuse to take its place
	saved := savedExample
	saved.Msg, saved.Length = []byte(replayOPTIONS), len(replayOPTIONS)+100
	saved.Dst = savedExample.Src
	tcp := saved
	tcp.Proto, tcp.Dst = sipparse.TCP, netip.MustParseAddrPort("127.0.0.1:15061")
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stdout []string
		stderr []string
	}{
		{"bytes", []string{write("bytes", replayOPTIONS)}, 0, []string{"--- udp 127.0.0.1:15060 -> 127.0.0.1:5060, ", "\nSIP/2.0 200 Replayed\r\n"},
			[]string{"from 127.0.0.1:5060 to 127.0.0.1:15060 over udp", "the message was handled"}},
		{"source", []string{"--source", "192.0.2.9:7", write("source", replayOPTIONS)}, 0, []string{"SIP/2.0 200 Replayed\r\n"}, []string{"from 192.0.2.9:7 to"}},
		{"saved", []string{write("saved", string(saved.append(nil)))}, 0, []string{"SIP/2.0 200 Replayed\r\n"},
			[]string{"from 192.0.2.1:5060 to", "does not listen on udp:192.0.2.1:5060: the message comes in by udp:127.0.0.1:15060", "of which 169 were kept"}},
		{"saved tcp", []string{write("tcp", string(tcp.append(nil)))}, 0, []string{"--- tcp 127.0.0.1:15061 -> 192.0.2.1:5060, "}, []string{"from 192.0.2.1:5060 to 127.0.0.1:15061 over tcp"}},
		// localhost is looked up outside of the loop
		{"relayed", []string{write("relayed", strings.ReplaceAll(replayOPTIONS, "OPTIONS", "INVITE"))}, 0, []string{"SIP/2.0 100 ", "--- udp 127.0.0.1:15060 -> 127.0.0.1:15062, ", "INVITE sip:a SIP/2.0\r\n"}, nil},
		{"waits", []string{write("waits", strings.Replace(replayOPTIONS, "sip:a ", "sip:later@a ", 1))}, 0, []string{"SIP/2.0 200 Replayed\r\n"}, nil},
		{"unparsable", []string{write("unparsable", "x")}, 0, nil, []string{"can not be parsed", "the message was handled"}},
		{"no file", nil, 255, nil, []string{"usage: kahea replay"}},
		{"missing file", []string{filepath.Join(dir, "missing")}, 255, nil, []string{"no such file"}},
		{"bad source", []string{"--source=x", write("bad", "x")}, 255, nil, []string{"bad: "}},
		{"damaged", []string{write("damaged", savedMagic+"Source: x\n\n")}, 255, nil, []string{`Source "x"`}},
		{"help", []string{"-h"}, 0, []string{"usage: kahea replay"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"replay"}, c.args...)
			if c.args != nil {
				args = append([]string{"replay", "-f", cfg, "-a", "off"}, c.args...)
			}
			o := runBinary(t, dir, nil, args...)
			if o.code != c.code {
				t.Errorf("exit code %d, want %d", o.code, c.code)
			}
			for _, w := range c.stdout {
				if !strings.Contains(o.stdout, w) {
					t.Errorf("standard output lacks %q", w)
				}
			}
			for _, w := range c.stderr {
				if !strings.Contains(o.stderr, w) {
					t.Errorf("standard error lacks %q", w)
				}
			}
			if t.Failed() {
				t.Logf("%v\n%s\n%s", args, o.stdout, o.stderr)
			}
		})
	}
	if st, err := os.Stat(running); err != nil || !st.Mode().IsRegular() {
		t.Errorf("the control socket of the running server: %v, %v", st, err)
	}
}

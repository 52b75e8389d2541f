package maxfwd_test

import (
	"fmt"
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/maxfwd"
	_ "kahea/modules/pv"
	_ "kahea/modules/xlog"
)

// The results and the text that is passed on are Kamailio 5.6.3's.
func TestMaxForwards(t *testing.T) {
	for _, tc := range []struct {
		name, hdr string // "": no header
		script    string
		log       string
		wire      []string // Max-Forwards lines of what was forwarded
	}{
		{"counts down", "70", `mf_process_maxfwd_header("10"); RC`, "1", []string{"Max-Forwards: 69"}},
		{"twice", "70", `mf_process_maxfwd_header("10"); maxfwd_process("20"); RC`, "1", []string{"Max-Forwards: 68"}},
		{"fewer digits are padded", "10", `mf_process_maxfwd_header("10"); RC`, "1", []string{"Max-Forwards:  9"}},
		{"leading zero", "070", `mf_process_maxfwd_header("10"); RC`, "1", []string{"Max-Forwards:  69"}},
		{"zero", "0", `mf_process_maxfwd_header("10"); RC`, "-1", []string{"Max-Forwards: 0"}},
		{"one becomes zero", "1", `process_maxfwd("10"); RC process_maxfwd("10"); RC`, "1|-1", []string{"Max-Forwards: 0"}},
		{"absent is added", "", `mf_process_maxfwd_header("10"); RC`, "2", []string{"Max-Forwards: 10"}},
		{"added twice", "", `mf_process_maxfwd_header("10"); mf_process_maxfwd_header("20"); RC is_maxfwd_lt("100"); RC`, "2|-2", []string{"Max-Forwards: 10", "Max-Forwards: 20"}},
		{"no number", "abc", `mf_process_maxfwd_header("10"); RC`, "-2", []string{"Max-Forwards: abc"}},
		{"negative", "-1", `mf_process_maxfwd_header("10"); RC is_maxfwd_lt("5"); RC`, "-2|-3", []string{"Max-Forwards: -1"}},
		{"above the limit", "300", `mf_process_maxfwd_header("10"); RC`, "1", []string{"Max-Forwards:  70"}},
		{"71 is above the limit", "71", `mf_process_maxfwd_header("10"); RC`, "1", []string{"Max-Forwards: 70"}},
		{"overflow", "99999999999999", `mf_process_maxfwd_header("10"); RC`, "-2", []string{"Max-Forwards: 99999999999999"}},
		{"empty counts as zero", " ", `mf_process_maxfwd_header("10"); RC is_maxfwd_lt("5"); RC`, "-1|1", []string{"Max-Forwards:  "}},
		{"limit out of range", "70", `mf_process_maxfwd_header("300"); RC`, "-1", []string{"Max-Forwards: 70"}},
		{"lower", "7", `is_maxfwd_lt("8"); RC mf_lowlimit("7"); RC maxfwd_at_least("6"); RC`, "1|-1|-1", []string{"Max-Forwards: 7"}},
		{"lower without header", "", `is_maxfwd_lt("8"); RC`, "-2", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			script := strings.ReplaceAll(tc.script, "RC", `$var(rc) = $var(rc) + "|" + $rc;`)
			s := modtest.Start(t, `
loadmodule "maxfwd.so"
loadmodule "pv.so"
loadmodule "xlog.so"
request_route {
	$var(rc) = "";
	`+script+`
	xlog("$var(rc)\n");
	forward("127.0.0.1", 5070);
}`)
			var lines []string
			if tc.hdr != "" {
				lines = append(lines, "Max-Forwards: "+tc.hdr)
			}
			s.Receive(modtest.Request("INVITE", "sip:bob@example.com", lines...))
			if _, got, _ := strings.Cut(s.Log(), "<script>: |"); got != tc.log+"\n" {
				t.Errorf("codes %q, want %q", got, tc.log)
			}
			out := s.Sent()
			if len(out) != 1 {
				t.Fatalf("sent %+v", out)
			}
			var got []string
			for l := range strings.SplitSeq(out[0].Text, "\r\n") {
				if strings.HasPrefix(l, "Max-Forwards:") {
					got = append(got, l)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.wire) {
				t.Errorf("sent %q, want %q", got, tc.wire)
			}
		})
	}
}

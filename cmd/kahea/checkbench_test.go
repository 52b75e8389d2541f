package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

// carrierConfig is a configuration of about n lines in the manner of Kamailio's stock file, with one route for each 18 lines.
func carrierConfig(n int) string {
	var b strings.Builder
	b.WriteString(`#!KAMAILIO
#!define FLT_ACC 1
#!substdef "!ADDR!10.0.0.1!g"
debug=1
listen=udp:127.0.0.1:5062
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
modparam("tm", "fr_timer", 3000)
request_route { route(R0); }
`)
	for i := 0; 14+18*i < n; i++ {
		fmt.Fprintf(&b, `
# block %d
route[R%d] {
	if (is_method("INVITE|SUBSCRIBE") && !has_totag()) { # new
		xlog("L_INFO", "call %d from $fu to $ru via ADDR\n");
		$var(i) = $var(i) + 1;
		setflag(FLT_ACC);
	} else if ($rU =~ "^\+?[0-9]{3,20}$" || src_ip == 10.0.0.0/8) {
		$avp(s:caller) = $(fu{uri.user}{s.substr,0,5});
		if (!t_relay()) {
			sl_reply_error();
		}
		exit;
	}
	switch ($rU) { case "a": route(R%d); break; case /"^b": drop; }
	exit;
}
`, i, i, i, i)
	}
	return b.String()
}

// BenchmarkCheck is what -c does, from the file to the compiled script; perf/results/check.md has figures.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{1000, 4000, 16000, 64000} {
		b.Run(fmt.Sprintf("lines=%d", n), func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "kahea.cfg")
			if err := os.WriteFile(file, []byte(carrierConfig(n)), 0o600); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				o, err := parseArgs([]string{"-c", "-f", file}, io.Discard)
				if err != nil {
					b.Fatal(err)
				}
				d := &diag.List{}
				s, err := loadMain(o, d)
				if err != nil {
					b.Fatalf("%v\n%.500s", err, summaries(d))
				}
				s.closeAll()
			}
		})
	}
}

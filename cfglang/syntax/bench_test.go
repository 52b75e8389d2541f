package syntax

import (
	"fmt"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

// bigConfig is a configuration of about n lines in the manner of the stock file.
func bigConfig(n int) []byte {
	var b strings.Builder
	b.WriteString("#!KAMAILIO\n#!define FLT_ACC 1\n#!define DBURL \"mysql://a:b@localhost/x\"\n#!substdef \"!ADDR!10.0.0.1!g\"\ndebug=2\nlisten=udp:10.0.0.1:5060\n")
	for i := 0; b.Len() == 0 || strings.Count(b.String()[max(0, b.Len()-1):], "\n") > 0 && i*16+6 < n; i++ {
		fmt.Fprintf(&b, `
# block %d
modparam("tm", "fr_timer", 3000)
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
}
`, i, i, i)
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{400, 4000, 40000} {
		text := bigConfig(n)
		b.Run(fmt.Sprintf("lines=%d", strings.Count(string(text), "\n")), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var d diag.List
				ParseText("bench.cfg", text, Options{ModuleDefines: true}, &d)
				if d.HasErrors() {
					b.Fatal(written(&d))
				}
			}
		})
	}
}

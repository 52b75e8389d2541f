package pv_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

// TestLongValues: whatever the length of a value, what an encoding yields is decoded to the same value again, or nothing is yielded.
func TestLongValues(t *testing.T) {
	s := modtest.Start(t, load+`request_route { $avp(v) = $rb; `+func() string {
		b := ""
		for _, x := range []string{"hexa", "base58", "base64", "base64t", "base64url", "base64urlt", "7bit"} {
			b += `$var(d) = $(avp(v){s.encode.` + x + `}{s.decode.` + x + `}); if ($var(d) == $avp(v)) { xlog("` + x + ` same\n"); } else { xlog("` + x + ` other: $(var(d){s.len})\n"); }`
		}
		return b
	}()+`}`)
	for _, n := range []int{1, 7, 8, 1023, 1024, 8191, 8192, 31000} {
		body := strings.Repeat("abc9", n/4+1)[:n]
		s.Log()
		s.Receive(modtest.Request("MESSAGE", "sip:a@b", "Content-Type: text/plain") + body)
		if l := s.Log(); strings.Contains(l, "other") || strings.Count(l, " same\n") != 7 {
			t.Errorf("%d bytes: %s", n, l)
		}
	}
}

// TestHostileNumbers: numbers at all edges of what an argument may be, as literals and in variables. Literals may be refused at start; nothing else may happen but a
// part of the text or null.
func TestHostileNumbers(t *testing.T) {
	numbers := []string{"0", "1", "-1", "5", "6", "7", "-5", "-6", "-7", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775807", "-9223372036854775808",
		"9223372036854775808", "123456789012345678901234567890", "-123456789012345678901234567890"}
	for _, form := range []string{"s.substr,N,0", "s.substr,0,N", "s.substr,N,N", "s.strip,N", "s.striptail,N", "s.select,N,c", "s.charat,N", "s.byteat,N", "s.prefixes,N", "s.fmtlines,N,1", "s.fmtlines,1,N", "s.corehash,N",
		"line.at,N", "param.name,N", "param.valueat,N"} {
		t.Run(form, func(t *testing.T) {
			for _, n := range numbers {
				for _, script := range []string{
					`$var(a) = "abcdef"; xlog("<$(var(a){` + strings.ReplaceAll(form, "N", n) + `})>\n");`,
					`$var(n) = ` + n + `; $var(a) = "abcdef"; xlog("<$(var(a){` + strings.ReplaceAll(form, "N", "$var(n)") + `})>\n");`,
				} {
					s, err := modtest.Load(t, load+"request_route { "+script+" }")
					if err != nil {
						continue // refused at start
					}
					s.Receive(modtest.Request("OPTIONS", "sip:bob@127.0.0.1:6000"))
					l := s.Log()
					if i := strings.Index(l, "<script>: <"); i < 0 || strings.Contains(l, "panic") {
						t.Errorf("%s: logged %q", script, l)
					}
				}
			}
		})
	}
}

// TestURIUntouched: a part that makes the R-URI longer than 1023 bytes is refused, and the URI stays as it was.
func TestURIUntouched(t *testing.T) {
	got := logged(t, `$var(l) = "0123456789abcdef"; $var(l) = $var(l) + $var(l) + $var(l) + $var(l); $var(l) = $var(l) + $var(l) + $var(l) + $var(l); $var(l) = $var(l) + $var(l) + $var(l) + $var(l);
	$rU = $var(l); xlog("$ru\n"); $rd = $var(l); xlog("$ru\n"); $ru = "sip:" + $var(l); xlog("$ru\n"); $rU = "new"; xlog("$ru\n");`)
	const same = "sip:bob@127.0.0.1:6000"
	if want := []string{same, same, same, "sip:new@127.0.0.1:6000"}; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

package sipparse

import (
	"os"
	"strings"
	"testing"
)

// TestURI compares what ParseURI finds with $rU, $rd and $(ru{uri.*}) of Kamailio 5.6.3, recorded in testdata/uri.tsv. There, a URI
// that does not parse has null in the first two.
func TestURI(t *testing.T) {
	tsv, err := os.ReadFile("testdata/uri.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for row := range strings.Lines(string(tsv)) {
		col := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		if names == nil {
			names = col
			continue
		}
		t.Run(col[0], func(t *testing.T) {
			want := map[string]string{}
			for i, n := range names {
				want[n] = col[i]
			}
			text := []byte(col[0])
			var u URI
			e := (*Grammar)(nil).ParseURI(text, &u)
			if refused := want["rp"] == "<null>"; refused != (e != OK) {
				t.Fatalf("error %v; Kamailio refused it: %v; %+v", e, refused, u)
			}
			if e != OK {
				return
			}
			if want["scheme"] == "" { // {uri.*} gave up, the variables did not
				if got := string(u.Host.In(text)); got != want["host"] {
					t.Errorf("host: %q, want %q", got, want["host"])
				}
				return
			}
			for name, s := range map[string]Span{
				"uri_user": u.User, "passwd": u.Passwd, "uri_host": u.Host, "port": u.PortText, "params": u.Params, "headers": u.Headers,
				"transport": u.Transport, "ttl": u.TTL, "uparam": u.UserParam, "maddr": u.Maddr, "method": u.MethodParam, "lr": u.LRVal,
				"r2": u.R2, "scheme": u.SchemeText,
			} {
				if got := string(s.In(text)); got != want[name] {
					t.Errorf("%s: %q, want %q", name, got, want[name])
				}
			}
		})
	}
}

func FuzzURI(f *testing.F) {
	tsv, err := os.ReadFile("testdata/uri.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for row := range strings.Lines(string(tsv)) {
		u, _, _ := strings.Cut(row, "\t")
		f.Add([]byte(u))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var u URI
		if (*Grammar)(nil).ParseURI(text, &u) != OK {
			return
		}
		for _, s := range []Span{u.SchemeText, u.User, u.Passwd, u.Host, u.PortText, u.Params, u.Headers, u.TelParams, u.Transport,
			u.TTL, u.UserParam, u.Maddr, u.MethodParam, u.R2, u.GR, u.OB, u.LRVal} {
			s.In(text) // must lie inside
		}
		// the parts, put together again, are the text
		b := append([]byte(nil), text[:u.SchemeText.Len+1]...)
		if u.Scheme == SchemeTEL || u.Scheme == SchemeURN {
			return // their parts trade places
		}
		if u.HasAt {
			b = append(b, u.User.In(text)...)
			if u.Passwd.Len > 0 || u.User.End() < u.Host.Off-1 {
				b = append(append(b, ':'), u.Passwd.In(text)...)
			}
			b = append(b, '@')
		}
		b = append(b, u.Host.In(text)...)
		if u.HasPort {
			b = append(append(b, ':'), u.PortText.In(text)...)
		}
		if u.Params.Off > 0 {
			b = append(append(b, ';'), u.Params.In(text)...)
		}
		if u.Headers.Off > 0 {
			b = append(append(b, '?'), u.Headers.In(text)...)
		}
		if len(text) == len(b)+1 && text[len(b)] == ';' {
			b = append(b, ';') // one ';' at the very end is not part of the parameters
		}
		if string(b) != string(text) {
			t.Errorf("%q put together from its parts is %q", text, b)
		}
	})
}

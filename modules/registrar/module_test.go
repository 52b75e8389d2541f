package registrar_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/registrar"
	_ "kahea/modules/sl"
	_ "kahea/modules/usrloc"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
`

// script saves REGISTERs and logs where others would go.
const script = `
request_route {
	if (method=="REGISTER") {
		save("location");
		$var(rc) = $rc;
		xlog("L_NOTICE", "save $var(rc)\n");
		exit;
	}
	lookup("location");
	$var(rc) = $rc;
	xlog("L_NOTICE", "lookup $var(rc) $ru $du $(branch(uri)[0]) $(branch(uri)[1])\n");
}
`

// server is one with its clock at the start and nothing registered.
type server struct {
	*modtest.Server
	t    *testing.T
	cseq int
	used uint64
}

func start(t *testing.T, cfg string) *server {
	t.Helper()
	s := modtest.Start(t, load+cfg)
	return &server{Server: s, t: t, cseq: 1, used: s.Arena.Usage().Used}
}

// register sends a REGISTER of bob's with a new CSeq and returns the answer's status and Contact values, joined with "|".
func (s *server) register(lines ...string) (status, contacts string) {
	s.t.Helper()
	s.cseq++
	return s.again(lines...)
}

// again is register with the same CSeq.
func (s *server) again(lines ...string) (status, contacts string) {
	s.t.Helper()
	msg := modtest.Request("REGISTER", "sip:example.com", lines...)
	msg = strings.Replace(msg, "CSeq: 1 ", fmt.Sprintf("CSeq: %d ", s.cseq), 1)
	s.Receive(msg)
	out := s.Sent()
	if len(out) != 1 {
		s.t.Fatalf("sent %d messages, want one answer", len(out))
	}
	return strings.Fields(out[0].Text)[1], value(out[0].Text, "Contact")
}

func value(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}

// want registers and compares.
func (s *server) want(status, contacts string, lines ...string) {
	s.t.Helper()
	st, c := s.register(lines...)
	if st != status || c != contacts {
		s.t.Errorf("%q: got %s %q, want %s %q", lines, st, c, status, contacts)
	}
}

// where is what lookup made of a request to bob.
func (s *server) where() string {
	s.t.Helper()
	s.Log()
	s.Receive(modtest.Request("INVITE", "sip:bob@example.com"))
	l := s.Log()
	l = strings.TrimPrefix(l, "NOTICE: <script>: lookup ")
	l, _, _ = strings.Cut(l, "\n")
	return strings.ReplaceAll(l, " <null>", "")
}

const none = "-1 sip:bob@example.com"

// empty checks that the memory of all registrations is back.
func (s *server) empty() {
	s.t.Helper()
	if got := s.Arena.Usage().Used; got != s.used {
		s.t.Errorf("%d bytes of shared memory in use, want %d as at the start", got, s.used)
	}
	if errs := s.Arena.Verify(); len(errs) > 0 {
		s.t.Errorf("the heap is damaged: %v", errs)
	}
}

// TestExpires says how long a contact is kept (RFC 3261 10.2.1.1).
func TestExpires(t *testing.T) {
	for _, tc := range []struct {
		name, par string
		lines     []string
		want      string // seconds; "": no contact
	}{
		{"none", "", []string{"Contact: <sip:b@h>"}, "3600"},
		{"default_expires", `modparam("registrar", "default_expires", 100)`, []string{"Contact: <sip:b@h>"}, "100"},
		{"header", "", []string{"Contact: <sip:b@h>", "Expires: 120"}, "120"},
		{"parameter", "", []string{"Contact: <sip:b@h>;expires=300", "Expires: 120"}, "300"},
		{"below min_expires", "", []string{"Contact: <sip:b@h>;expires=5"}, "60"},
		{"min_expires off", `modparam("registrar", "min_expires", 0)`, []string{"Contact: <sip:b@h>;expires=5"}, "5"},
		{"above max_expires", `modparam("registrar", "max_expires", 200)`, []string{"Contact: <sip:b@h>;expires=500"}, "200"},
		{"parameter is no number", "", []string{"Contact: <sip:b@h>;expires=x", "Expires: 120"}, "3600"},
		{"zero", "", []string{"Contact: <sip:b@h>;expires=0"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, tc.par+script)
			want := ""
			if tc.want != "" {
				want = "<sip:b@h>;expires=" + tc.want
			}
			s.want("200", want, tc.lines...)
		})
	}
}

// TestExpiry lets contacts run out.
func TestExpiry(t *testing.T) {
	s := start(t, script)
	s.want("200", "<sip:a@h>;expires=100", "Contact: <sip:a@h>;expires=100")
	s.Advance(40 * time.Second)
	s.want("200", "<sip:a@h>;expires=60, <sip:b@h>;expires=200", "Contact: <sip:b@h>;expires=200")
	if got := s.where(); got != "1 sip:a@h sip:b@h" {
		t.Errorf("lookup %q", got)
	}
	s.Advance(59 * time.Second)
	s.Tick()
	s.want("200", "<sip:a@h>;expires=1, <sip:b@h>;expires=141")
	s.Advance(time.Second)
	if got := s.where(); got != "1 sip:b@h" {
		t.Errorf("lookup %q after a has expired", got)
	}
	before := s.Arena.Usage().Used
	s.Tick()
	if got := s.Arena.Usage().Used; got >= before {
		t.Errorf("%d bytes in use after the removal, %d before", got, before)
	}
	s.Advance(140 * time.Second)
	if got := s.where(); got != none {
		t.Errorf("lookup %q after all have expired", got)
	}
	s.Tick()
	s.empty()
}

// TestRemoval gives contacts up.
func TestRemoval(t *testing.T) {
	two := []string{"Contact: <sip:a@h>;expires=100", "Contact: <sip:b@h>;expires=100"}
	for _, tc := range []struct {
		name         string
		lines        []string
		status, left string
	}{
		{"one", []string{"Contact: <sip:a@h>;expires=0"}, "200", "<sip:b@h>;expires=100"},
		{"one by the header", []string{"Contact: <sip:a@h>", "Expires: 0"}, "200", "<sip:b@h>;expires=100"},
		{"an unknown one", []string{"Contact: <sip:c@h>;expires=0"}, "200", "<sip:a@h>;expires=100, <sip:b@h>;expires=100"},
		{"all", []string{"Contact: *", "Expires: 0"}, "200", ""},
		{"star without Expires", []string{"Contact: *"}, "400", "<sip:a@h>;expires=100, <sip:b@h>;expires=100"},
		{"star that does not expire", []string{"Contact: *", "Expires: 10"}, "400", "<sip:a@h>;expires=100, <sip:b@h>;expires=100"},
		{"star and a contact", []string{"Contact: *", "Contact: <sip:a@h>", "Expires: 0"}, "400", "<sip:a@h>;expires=100, <sip:b@h>;expires=100"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, script)
			s.register(two...)
			if st, _ := s.register(tc.lines...); st != tc.status {
				t.Errorf("status %s, want %s", st, tc.status)
			}
			s.want("200", tc.left)
			s.want("200", "", "Contact: *", "Expires: 0")
			s.empty()
		})
	}
}

// TestQ orders contacts by q, older ones of equal q first, whatever the order of their coming.
func TestQ(t *testing.T) {
	for _, tc := range []struct {
		name, par string
		lines     []string // one REGISTER each
		want      string
	}{
		{"best first", "", []string{"<sip:a@h>;q=0.1", "<sip:b@h>;q=1", "<sip:c@h>;q=0.5"}, "1 sip:b@h sip:c@h sip:a@h"},
		{"equal", "", []string{"<sip:a@h>;q=0.5", "<sip:b@h>;q=0.5", "<sip:c@h>;q=0.5"}, "1 sip:a@h sip:b@h sip:c@h"},
		{"without q comes last", "", []string{"<sip:a@h>", "<sip:b@h>;q=0", "<sip:c@h>;q=0.001"}, "1 sip:c@h sip:b@h sip:a@h"},
		{"default_q", `modparam("registrar", "default_q", 500)`, []string{"<sip:a@h>", "<sip:b@h>;q=0.4", "<sip:c@h>;q=0.6"}, "1 sip:c@h sip:a@h sip:b@h"},
		{"changed", "", []string{"<sip:a@h>;q=0.1", "<sip:b@h>;q=0.5", "<sip:a@h>;q=0.9"}, "1 sip:a@h sip:b@h"},
		{"desc_time_order", `modparam("usrloc", "desc_time_order", 1)`, []string{"<sip:a@h>;q=0.9", "<sip:b@h>;q=0.5", "<sip:c@h>;q=0.7"}, "1 sip:c@h sip:b@h sip:a@h"},
		{"append_branches off", `modparam("registrar", "append_branches", 0)`, []string{"<sip:a@h>;q=0.1", "<sip:b@h>;q=1"}, "1 sip:b@h"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, tc.par+script)
			for _, l := range tc.lines {
				s.register("Contact: " + l)
			}
			if got := s.where(); got != tc.want {
				t.Errorf("lookup %q, want %q", got, tc.want)
			}
		})
	}
}

// TestRefused lists REGISTERs that change nothing.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		name, par string
		lines     []string
		status    string
		err       string
	}{
		{"too many", `modparam("registrar", "max_contacts", 2)`, []string{"Contact: <sip:b@h>, <sip:c@h>"}, "503", "Too many registered contacts"},
		{"as many as there may be", `modparam("registrar", "max_contacts", 2)`, []string{"Contact: <sip:b@h>"}, "200", ""},
		{"one goes, one comes", `modparam("registrar", "max_contacts", 1)`, []string{"Contact: <sip:a@h>;expires=0, <sip:b@h>"}, "200", ""},
		{"bad q", "", []string{"Contact: <sip:b@h>;q=2"}, "400", "Invalid q param in contact"},
		{"no scheme", "", []string{"Contact: b"}, "400", "Contact parse error"},
		{"empty address", "", []string{"Contact: <>"}, "400", "Contact parse error"},
		{"empty parameter", "", []string{"Contact: <sip:b@h>;;q=1"}, "400", "Contact parse error"},
		{"nothing behind the comma", "", []string{"Contact: <sip:b@h>,"}, "400", "Contact parse error"},
		{"a comma in quotes", "", []string{`Contact: "b,;" <sip:b@h>;x=";;"`}, "200", ""},
		{"empty Expires", "", []string{"Expires:", "Contact: <sip:b@h>"}, "400", "Expires parse error"},
		{"too long", `modparam("registrar", "contact_max_size", 8)`, []string{"Contact: <sip:b@hhhhhhhhh>"}, "400", "Contact/received too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, tc.par+script)
			s.want("200", "<sip:a@h>;expires=3600", "Contact: <sip:a@h>")
			s.cseq++
			msg := modtest.Request("REGISTER", "sip:example.com", tc.lines...)
			s.Receive(strings.Replace(msg, "CSeq: 1 ", fmt.Sprintf("CSeq: %d ", s.cseq), 1))
			out := s.Sent()
			if len(out) != 1 || !strings.HasPrefix(out[0].Text, "SIP/2.0 "+tc.status+" ") {
				t.Fatalf("sent %+v, want %s", out, tc.status)
			}
			if got := value(out[0].Text, "P-Registrar-Error"); got != tc.err {
				t.Errorf("P-Registrar-Error %q, want %q", got, tc.err)
			}
			if tc.err != "" {
				s.want("200", "<sip:a@h>;expires=3600")
			}
		})
	}
}

// TestCSeq compares what comes with what is there.
func TestCSeq(t *testing.T) {
	s := start(t, script)
	s.cseq = 9
	s.want("200", "<sip:a@h>;expires=100", "Contact: <sip:a@h>;expires=100") // CSeq 10
	if st, c := s.again("Contact: <sip:a@h>;expires=200"); st != "200" || c != "<sip:a@h>;expires=100" {
		t.Errorf("a retransmission: %s %q", st, c)
	}
	s.cseq = 8
	if st, _ := s.register("Contact: <sip:a@h>;expires=200"); st != "400" {
		t.Errorf("a lower CSeq: %s, want 400", st)
	}
	s.cseq = 10
	s.want("200", "<sip:a@h>;expires=300", "Contact: <sip:a@h>;expires=300")
	s.Advance(21 * time.Second)
	if st, c := s.again("Contact: <sip:a@h>;expires=400"); st != "200" || c != "<sip:a@h>;expires=400" {
		t.Errorf("the same CSeq after cseq_delay: %s %q", st, c)
	}
	s.want("200", "", "Contact: *", "Expires: 0")
	s.empty()
}

// TestResult is what save() returns.
func TestResult(t *testing.T) {
	s := start(t, script)
	for _, tc := range []struct{ name, line, want string }{
		{"new", "Contact: <sip:a@h>", "1"}, {"renewed", "Contact: <sip:a@h>", "2"}, {"asked", "X: y", "4"}, {"removed", "Contact: <sip:a@h>;expires=0", "3"}, {"refused", "Contact: <sip:a@h>;q=7", "-1"},
	} {
		s.Log()
		s.register(tc.line)
		if got := s.Log(); !strings.HasPrefix(got, "NOTICE: <script>: save "+tc.want+"\n") {
			t.Errorf("%s: log %q, want %s", tc.name, got, tc.want)
		}
	}
}

// TestAOR says which texts name the same user.
func TestAOR(t *testing.T) {
	for _, tc := range []struct {
		name, par, to, uri string
		found              bool
	}{
		{"the user", "", "sip:bob@example.com", "sip:bob@example.com", true},
		{"another domain", "", "sip:bob@example.org", "sip:bob@example.com", true},
		{"another domain, use_domain", `modparam("usrloc", "use_domain", 1)`, "sip:bob@example.org", "sip:bob@example.com", false},
		{"use_domain", `modparam("usrloc", "use_domain", 1)`, "sip:bob@example.com", "sip:bob@Example.com", true},
		{"realm_prefix", "modparam(\"usrloc\", \"use_domain\", 1)\nmodparam(\"registrar\", \"realm_prefix\", \"sip.\")", "sip:bob@sip.example.com", "sip:bob@example.com", true},
		{"upper case", "", "sip:BOB@example.com", "sip:bob@example.com", true},
		{"upper case, case_sensitive", `modparam("registrar", "case_sensitive", 1)`, "sip:BOB@example.com", "sip:bob@example.com", false},
		{"escaped", "", "sip:b%6fb@example.com", "sip:bob@example.com", true},
		{"parameters", "", "sip:bob@example.com;x=y", "sip:bob:pw@example.com:5070;z", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, tc.par+script)
			msg := modtest.Request("REGISTER", "sip:example.com", "Contact: <sip:b@h>")
			s.Receive(strings.Replace(msg, "sip:bob@example.com", tc.to, 1))
			s.Log()
			s.Receive(modtest.Request("INVITE", tc.uri))
			if got := strings.HasPrefix(s.Log(), "NOTICE: <script>: lookup 1 sip:b@h"); got != tc.found {
				t.Errorf("found: %v, want %v", got, tc.found)
			}
		})
	}
}

// TestPath keeps and follows Path (RFC 3327).
func TestPath(t *testing.T) {
	const path = "<sip:edge@10.0.0.1;lr>"
	for _, tc := range []struct {
		name, par, supported, status, answer, where string
	}{
		{"not used", "", "path", "200", "", "1 sip:b@h"},
		{"mode 0", `modparam("registrar", "path_mode", 0)`, "", "200", "", "1 sip:b@h sip:edge@10.0.0.1;lr"},
		{"mode 1, supported", `modparam("registrar", "path_mode", 1)`, "path", "200", path, "1 sip:b@h sip:edge@10.0.0.1;lr"},
		{"mode 1, not supported", `modparam("registrar", "path_mode", 1)`, "gruu", "200", "", "1 sip:b@h sip:edge@10.0.0.1;lr"},
		{"mode 2, supported", `modparam("registrar", "path_mode", 2)`, "gruu, path", "200", path, "1 sip:b@h sip:edge@10.0.0.1;lr"},
		{"mode 2, not supported", `modparam("registrar", "path_mode", 2)`, "", "420", path, "1 sip:b@h sip:edge@10.0.0.1;lr"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			par := tc.par
			if par != "" {
				par += "\nmodparam(\"registrar\", \"use_path\", 1)"
			}
			s := start(t, par+script)
			lines := []string{"Contact: <sip:b@h>", "Path: " + path}
			if tc.supported != "" {
				lines = append(lines, "Supported: "+tc.supported)
			}
			s.Receive(modtest.Request("REGISTER", "sip:example.com", lines...))
			out := s.Sent()
			if len(out) != 1 || !strings.HasPrefix(out[0].Text, "SIP/2.0 "+tc.status) {
				t.Fatalf("sent %+v, want %s", out, tc.status)
			}
			if got := value(out[0].Text, "Path"); got != tc.answer {
				t.Errorf("Path %q, want %q", got, tc.answer)
			}
			if got := s.where(); got != tc.where {
				t.Errorf("lookup %q, want %q", got, tc.where)
			}
		})
	}
}

var gruu = regexp.MustCompile(`^<sip:b@h>;expires=3600;pub-gruu="sip:bob@example.com;gr=urn:x";temp-gruu="sip:uloc-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+@example.com;gr";\+sip.instance="<urn:x>"$`)

// TestGRUU gives clients that ask for it a GRUU (RFC 5627), which finds that contact alone.
func TestGRUU(t *testing.T) {
	s := start(t, script)
	s.want("200", `<sip:c@h>;expires=3600;+sip.instance="<urn:y>"`, `Contact: <sip:c@h>;+sip.instance="<urn:y>"`)
	s.want("200", "", "Contact: *", "Expires: 0")
	if st, c := s.register(`Contact: <sip:b@h>;+sip.instance="<urn:x>"`, "Supported: gruu"); st != "200" || !gruu.MatchString(c) {
		t.Errorf("got %s %q", st, c)
	}
	s.register(`Contact: <sip:c@h>;q=1`)
	s.Log()
	s.Receive(modtest.Request("INVITE", "sip:bob@example.com;gr=urn:x"))
	if got := s.Log(); !strings.HasPrefix(got, "NOTICE: <script>: lookup 1 sip:b@h") || strings.Contains(got, "sip:c@h") {
		t.Errorf("lookup of the public GRUU: %q", got)
	}
}

// TestFunctions are the others of the module.
func TestFunctions(t *testing.T) {
	s := start(t, `request_route {
	if (method=="REGISTER") { save("location", "0x02"); sl_send_reply("202", "Later"); exit; }
	if (method=="INFO") { if (registered("location", "sip:bob@x")) log(1, "yes\n"); else log(1, "no\n"); exit; }
	if (method=="MESSAGE") { unregister("location", "sip:bob@x"); exit; }
	lookup_to_dset("location");
	xlog("L_NOTICE", "$ru $(branch(uri)[0])\n");
}`)
	ask := func(method, want string) {
		t.Helper()
		s.Receive(modtest.Request(method, "sip:bob@example.com"))
		if got := s.Log(); got != want {
			t.Errorf("%s: log %q, want %q", method, got, want)
		}
	}
	ask("INFO", "NOTICE: <script>: no\n")
	if st, _ := s.register("Contact: <sip:a@h>"); st != "202" {
		t.Errorf("status %s, want the script's", st)
	}
	ask("INFO", "NOTICE: <script>: yes\n")
	ask("INVITE", "NOTICE: <script>: sip:bob@example.com sip:a@h\n")
	ask("MESSAGE", "")
	ask("INFO", "NOTICE: <script>: no\n")
	s.empty()
}

// TestReplace keeps one contact an address (flag 4).
func TestReplace(t *testing.T) {
	s := start(t, `request_route { save("location", "0x04"); }`)
	s.want("200", "<sip:a@h>;expires=3600", "Contact: <sip:a@h>")
	s.want("200", "<sip:b@h>;expires=3600", "Contact: <sip:b@h>")
	s.want("200", "", "Contact: <sip:b@h>;expires=0")
	s.empty()
}

// TestMethods passes over contacts that do not allow the method.
func TestMethods(t *testing.T) {
	s := start(t, `modparam("registrar", "method_filtering", 1)`+script)
	s.register("Contact: <sip:a@h>;q=1", "Allow: MESSAGE, OPTIONS")
	if got := s.where(); got != "-2 sip:bob@example.com" {
		t.Errorf("lookup %q", got)
	}
	s.register("Contact: <sip:b@h>", "Allow: INVITE")
	if got := s.where(); got != "1 sip:b@h" {
		t.Errorf("lookup %q", got)
	}
}

// TestMemoryExhausted refuses with 500 and keeps nothing.
func TestMemoryExhausted(t *testing.T) {
	for rest := uint64(0); rest <= 1024; rest += 64 {
		s := start(t, "shm_reserve=0\n"+script)
		tag := s.Arena.TagFor("test", "fill")
		n := s.Arena.Usage().LargestFree - rest
		o, err := s.Arena.Alloc(int(n), tag)
		if err != nil {
			t.Fatal(err)
		}
		st, _ := s.register("Contact: <sip:a@h>, <sip:b@h>")
		if st != "200" && st != "500" {
			t.Errorf("%d bytes free: status %s", rest, st)
		}
		if rest == 0 && st != "500" {
			t.Errorf("no byte free: status %s, want 500", st)
		}
		s.Arena.Free(o)
		s.register("Contact: *", "Expires: 0")
		s.empty()
	}
}

// TestReserve: when only the reserve is left, what is registered is refreshed, and nothing new is taken.
func TestReserve(t *testing.T) {
	s := start(t, script)
	s.register("Contact: <sip:a@h>")
	u := s.Arena.Usage()
	o, err := s.Arena.Alloc(int(u.Free-u.Reserve), s.Arena.TagFor("test", "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, contact, want string }{
		{"refresh", "Contact: <sip:a@h>;expires=60", "200"}, {"new contact", "Contact: <sip:b@h>", "500"}, {"again", "Contact: <sip:a@h>;expires=70", "200"},
	} {
		if st, _ := s.register(c.contact); st != c.want {
			t.Errorf("%s: status %s, want %s", c.name, st, c.want)
		}
	}
	if log := s.Log(); strings.Contains(log, "registrar: ") { // there may be thousands a second
		t.Errorf("log %q", log)
	}
	if s.Arena.Usage().Refused != 1 {
		t.Errorf("%d refusals are counted, want 1", s.Arena.Usage().Refused)
	}
	s.Arena.Free(o)
	s.register("Contact: *", "Expires: 0")
	s.empty()
}

// TestAddByRPC adds contacts beside those of registrations.
func TestAddByRPC(t *testing.T) {
	s := start(t, script)
	if out, err := s.RPC("ul.add", "location", "bob", "sip:x@h", 100, "0.5", "<sip:p;lr>", 0, 64, 31); err != nil {
		t.Fatal(out, err)
	}
	out, err := s.RPC("ul.lookup", "location", "bob")
	for _, w := range []string{"Address: sip:x@h\n", "Expires: 100\n", "Q: 0.500000\n", "Path: <sip:p;lr>\n", "CFlags: 64\n", "Methods: 31\n", "Socket: [not set]\n"} {
		if err != nil || !strings.Contains(out, w) {
			t.Errorf("ul.lookup lacks %q (%v):\n%s", w, err, out)
		}
	}
	if _, err := s.RPC("ul.add", "location", "bob", "sip:x@h", 50, "1", "0", 0, 0, 31); err != nil { // once more
		t.Error(err)
	}
	if got := s.where(); got != "1 sip:x@h" {
		t.Errorf("lookup %q", got)
	}
	for _, tc := range []struct {
		name   string
		params []any
	}{
		{"too few", []any{"location", "bob", "sip:x@h"}},
		{"unknown table", []any{"x", "bob", "sip:x@h", 1, "1", "0", 0, 0, 31}},
		{"q over 1", []any{"location", "bob", "sip:x@h", 1, "1.5", "0", 0, 0, 31}},
		{"negative expires", []any{"location", "bob", "sip:x@h", -1, "1", "0", 0, 0, 31}},
	} {
		if out, err := s.RPC("ul.add", tc.params...); err == nil {
			t.Errorf("%s: %q", tc.name, out)
		}
	}
	s.Advance(51 * time.Second)
	if _, err := s.RPC("ul.flush"); err != nil {
		t.Error(err)
	}
	s.empty()
}

// TestRPC shows and removes what is stored.
func TestRPC(t *testing.T) {
	s := start(t, script)
	s.register("Contact: <sip:a@h>;q=0.5;expires=100", "User-Agent: phone/1")
	s.register("Contact: <sip:b@h>")
	s.Advance(10 * time.Second)
	call := func(name string, params ...any) string {
		t.Helper()
		out, err := s.RPC(name, params...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return out
	}
	for _, tc := range []struct {
		cmd    string
		params []any
		want   []string
	}{
		{"ul.dump", nil, []string{"Domain: location\n", "Size: 1024\n", "AoR: bob\n", "Address: sip:a@h\n", "Expires: 90\n", "Q: 0.500000\n", "Call-ID: call-1@127.0.0.1\n", "CSeq: 2\n", "User-Agent: phone/1\n", "Received: [not set]\n", "Address: sip:b@h\n", "Q: -1.000000\n", "Records: 1\n", "Max-Slots: 1\n"}},
		{"ul.lookup", []any{"location", "bob"}, []string{"AoR: bob\n", "Address: sip:a@h\n", "Socket: udp:127.0.0.1:5060\n", "Expires: 3590\n"}},
	} {
		out := call(tc.cmd, tc.params...)
		for _, w := range tc.want {
			if !strings.Contains(out, w) {
				t.Errorf("%s lacks %q:\n%s", tc.cmd, w, out)
			}
		}
	}
	if out := call("ul.dump", "brief"); strings.Contains(out, "Expires") || !strings.Contains(out, "Address: sip:b@h\n") {
		t.Errorf("ul.dump brief:\n%s", out)
	}
	for _, tc := range []struct {
		name   string
		cmd    string
		params []any
	}{
		{"no table", "ul.lookup", nil}, {"no address", "ul.lookup", []any{"location"}}, {"unknown table", "ul.lookup", []any{"x", "bob"}},
		{"unknown address", "ul.lookup", []any{"location", "carol"}}, {"unknown contact", "ul.rm_contact", []any{"location", "bob", "sip:c@h"}},
	} {
		if out, err := s.RPC(tc.cmd, tc.params...); err == nil {
			t.Errorf("%s: %q", tc.name, out)
		}
	}
	call("ul.rm_contact", "location", "bob", "sip:a@h")
	if got := s.where(); got != "1 sip:b@h" {
		t.Errorf("lookup %q after ul.rm_contact", got)
	}
	call("ul.rm", "location", "bob")
	s.empty()
}

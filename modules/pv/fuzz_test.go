package pv_test

import (
	"net/netip"
	"strings"
	"testing"

	"kahea/cfglang/route"
	"kahea/modules/lib/modtest"
	"kahea/sipparse"
)

// fuzzMessage has what variables read.
const fuzzMessage = "INVITE sip:+49%2030;x=1@[::1]:5099;transport=tcp;user=phone?a=b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5;branch=z9hG4bK1;rport, SIP/2.0/TCP b.test;received=1.2.3.4\r\n" +
	"From: \"A \\\"q\\\"\" <sip:a:pw@h:7>;tag=f\r\nTo: <tel:+1>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContact: \"C\" <sip:c@d>;q=0.5;expires=9, <sip:e@f>\r\nRoute: <sip:r@s;lr>, <sip:t@u>\r\n" +
	"Authorization: Digest username=\"u@v\", realm=\"r\", nonce=\"n\", uri=\"sip:x\", response=\"y\"\r\nSubject: one\r\nSubject: two\r\nContent-Length: 8\r\n\r\nv=0\r\nm=x"

// FuzzPV compiles a text as a format and evaluates it for a message and for a value: whatever it is, there is no panic, and no result is larger than what a message
// may take of private memory.
func FuzzPV(f *testing.F) {
	for _, s := range []string{
		"", "$", "$$", "$(", "$()", "plain", "$rU.", "$(ru{uri.user})", "$(ru{uri.param,transport}{s.len})", "$(var(v){s.substr,-3,2})", "$(var(v){s.substr,$var(v),99999999999999999999})",
		"$(var(v){s.select,-2147483648,,})", "$(var(v){s.select,1,\\s}{s.strip,4294967296})", "$(var(v){s.encode.base58}{s.decode.base58})", "$(var(v){s.encode.base64}{s.decode.base64url})",
		"$(var(v){s.encode.7bit}{s.decode.7bit})", "$(var(v){s.decode.hexa})", "$(var(v){s.escape.user}{s.unescape.user})", "$(var(v){s.urldecode.param})", "$(var(v){s.fmtlines,1,256})",
		"$(var(v){s.prefixes.quoted})", "$(var(v){s.replace,a,$var(v)})", "$(var(v){s.rm,$var(v)})", "$(var(v){s.corehash,0})", "$(var(v){s.ftime,%Y%%%z%})", "$(var(v){s.selectsw,-1})",
		"$(var(v){param.value,a}{param.count})", "$(var(v){param.name,-1,&})", "$(var(v){nameaddr.uri}{nameaddr.len})", "$(var(v){tobody.params})", "$(var(v){line.at,-9})", "$(var(v){line.sw,m})",
		"$(var(v){urialias.decode}{urialias.encode})", "$(var(v){val.json})$(null{val.jsonqe})", "$(var(v){num.ldigit})", "$(var(v){uri.rmparam,x}{uri.tosocket})", "$(hdr(Subject)[-1])",
		"$(hdr($var(v))[$var(v)])", "$(hfl(Contact)[*])", "$hflc(Route)", "$(avp(i:5)[*])", "$xavp(a[$var(v)]=>b[*])", "$xavu(a=>b)", "$cnt($xavp(a=>b))", "$(branch(uri)[-1])", "$sbranch(q)",
		"$via0(branch)$viaZ(host)$via1(received)", "$msgbuf($var(v))", "$msg(hdrs)", "$TV(Sn)", "$timef(%c)", "$_s($_s($$rU))", "$sel(from.uri.user)", "$rpl(duri)", "$shvinc(n)", "$(au{s.md5})$ds$br$bR",
	} {
		f.Add(s, "a=1;b=\"two\";<sip:x@y>")
	}
	f.Add("$(var(v){s.unescape.user})", "a%zz%4%")
	f.Add("$(var(v){s.encode.base64}{s.len})", strings.Repeat("x", 65536))
	s := modtest.Start(f, load+`request_route { exit; }`)
	s.Receive(modtest.Request("OPTIONS", "sip:a@b")) // every lazy part is there
	v := s.Proc.Vars.Slot(route.VarZero, "v")
	f.Fuzz(func(t *testing.T, text, value string) {
		if s.Proc.Vars.Len() > 2000 {
			return // the fuzzer has made up as many names as the process should hold
		}
		fm, err := s.Host.Env.ParseFormat(text)
		if err != nil {
			return
		}
		c := s.Proc.Get()
		defer s.Proc.Put(c)
		if e := c.Msg.Parse([]byte(fuzzMessage)); e != sipparse.OK {
			t.Fatal(e)
		}
		c.Recv.Src, c.Recv.Dst, c.Recv.Proto, c.Recv.Sock = netip.MustParseAddrPort("127.0.0.1:5"), netip.MustParseAddrPort("127.0.0.1:6"), sipparse.UDP, s.Proc.Net.Sockets[0]
		s.Proc.Vars.Set(c, v, route.Str([]byte(value)))
		if b, _ := fm.Eval(c); len(b) > 16<<20 {
			t.Fatalf("%d bytes of %q with %d bytes", len(b), text, len(value))
		}
	})
}

//go:build !race

package pv_test

import (
	"strings"
	"testing"

	"kahea/cfglang/route"
	"kahea/modules/lib/modtest"
)

// What scripts read for each message must not allocate.
func TestNoAllocations(t *testing.T) {
	for _, v := range strings.Fields(`$ru $rU $rd $rp $rz $du $fu $fU $fd $ft $tu $tU $td $tt $ci $cs $rm $ua $si $sp $su $Ri $Rp $pr $mt $rb
		$hdr(CSeq) $hdr(X-Any) $(hdr(Via)[0]) $hdrc(Via) $var(x) $vn(x) $avp(x) $mf $Ts $TV(s) $sel(from.uri.user) $sel(via[2].host) $sel(ruri.hostport) $sel(ruri.transport) $sel(msg.header.x_any) $sel(contact.q) $sel(received.proto_ip_port) $sel(rr.uri) $sel(authorization.R.realm) $sel(msg.body.sdp.line.o) $sel(event) $xavp(r) $xavp(r=>f) $xavp(r[0]=>f[0]) $xavi(R=>F) $shv(s) $cnt($xavp(r=>f))
		$(rU{s.len}) $(rU{s.substr,1,1}) $(ru{uri.host}) $(rU{s.toupper}) $(fu{uri.user}{s.md5}) $(hdr(X-Any){param.value,a})`) {
		t.Run(v, func(t *testing.T) {
			s := modtest.Start(t, load+`
request_route {
	$var(x) = "text of a variable";
	$avp(x) = "attribute";
	pv_isset("`+v+`");
	exit;
}`)
			f, err := s.Host.Env.ParseFormat(v + "-" + v)
			if err != nil {
				t.Fatal(err)
			}
			msg := []byte(modtest.Request("INVITE", "sip:bob@example.com;x=y", "X-Any: a=1;b=2", "User-Agent: phone/1"))
			sock := s.Proc.Net.Sockets[0]
			recv := route.Recv{Src: modtest.Peer, Dst: sock.Addr, Sock: sock, Proto: sock.Proto, Time: s.Proc.Host.Now()}
			c := s.Proc.Get()
			defer s.Proc.Put(c)
			run := func() {
				c.Scratch.Reset()
				c.Recv = recv
				if e := c.Msg.Parse(msg); e != 0 {
					t.Fatal(e)
				}
				if _, ok := f.Eval(c); !ok {
					t.Fatal("evaluation failed")
				}
			}
			run()
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%s: %v allocations", v, n)
			}
		})
	}
}

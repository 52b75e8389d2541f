//go:build !race

package edit

import (
	"os"
	"testing"

	"kahea/sipparse"
)

func TestAllocs(t *testing.T) {
	b, err := os.ReadFile("../testdata/invite.sip")
	if err != nil {
		t.Fatal(err)
	}
	var m sipparse.Msg
	if e := m.Parse(b); e != sipparse.OK {
		t.Fatal(e)
	}
	if e := m.Mandatory(); e != sipparse.OK {
		t.Fatal(e)
	}
	dst := make([]byte, 0, 4096)
	branch, room := make([]byte, 0, 100), make([]byte, 0, 2048)
	host, rr, reason, tag, server, to := []byte("127.0.0.1"), []byte("Record-Route: <sip:x;lr>\r\n"), []byte("OK"), []byte("t"), []byte("Server: x"), []byte("To: <sip:x>\r\n")
	recv := Received{Src: goldenSrc, ForceRPort: true}
	var l, l2 List
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"request", func() {
			l.Reset()
			l.InsertBefore(m.Hdrs[0].Off, rr, sipparse.HdrRecordRoute)
			hash, _ := BranchHash(&m)
			md5, _ := BranchMD5(&m, room)
			branch = AppendBranch(branch[:0], hash, md5[:], 0)
			if _, e := AppendRequest(dst, &m, &l, &RequestOpts{Recv: recv, Via: &ViaOpts{Proto: sipparse.UDP, Host: host, Branch: branch}}); e != sipparse.OK {
				t.Fatal(e)
			}
		}},
		{"reply", func() {
			AppendReply(dst, &m, &l, &ReplyOpts{Code: 200, Reason: reason, ToTag: tag, Recv: recv, Server: server})
		}},
		{"forward reply", func() { AppendForwardReply(dst, &m, nil, CLenStream, 200, reason) }},
		{"local", func() { AppendLocalACK(dst, &m, to); AppendLocalCANCEL(dst, &m, nil, nil) }},
		{"list", func() {
			l2.CopyFrom(&l)
			if err := l2.Load(l.AppendBinary(dst)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.f()
			if n := testing.AllocsPerRun(100, c.f); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

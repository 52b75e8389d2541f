package edit

import (
	"os"
	"testing"

	"kahea/sipparse"
)

func BenchmarkBuild(b *testing.B) {
	buf, err := os.ReadFile("../testdata/invite.sip")
	if err != nil {
		b.Fatal(err)
	}
	var m sipparse.Msg
	m.Parse(buf)
	m.Mandatory()
	dst := make([]byte, 0, 4096)
	recv := Received{Src: goldenSrc}
	host, rr := []byte("127.0.0.1"), []byte("Record-Route: <sip:127.0.0.1;lr>\r\n")
	b.Run("msg=invite/out=request", func(b *testing.B) {
		var l List
		var branch [100]byte
		var room [2048]byte
		b.ReportAllocs()
		for b.Loop() {
			l.Reset()
			l.InsertBefore(m.Hdrs[0].Off, rr, sipparse.HdrRecordRoute)
			hash, _ := BranchHash(&m)
			md5, _ := BranchMD5(&m, room[:])
			AppendRequest(dst, &m, &l, &RequestOpts{Recv: recv, Via: &ViaOpts{Proto: sipparse.UDP, Host: host, Branch: AppendBranch(branch[:0], hash, md5[:], 0)}})
		}
	})
	b.Run("msg=invite/out=reply", func(b *testing.B) {
		b.ReportAllocs()
		o := ReplyOpts{Code: 200, Reason: []byte("OK"), ToTag: []byte("t"), Recv: recv, Server: []byte(serverLine)}
		for b.Loop() {
			AppendReply(dst, &m, nil, &o)
		}
	})
}

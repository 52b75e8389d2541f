package edit

import (
	"crypto/sha1"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/sipparse"
)

// corpusDir is the folder of SIP messages that lies beside the checkout; "" if it is not there.
func corpusDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			dir = filepath.Join(filepath.Dir(dir), "shared", "corpus", "sip")
			if _, err := os.Stat(dir); err == nil {
				return dir
			}
			break
		}
	}
	tb.Log("the corpus of SIP messages (../shared/corpus beside the checkout) is not there")
	return ""
}

// TestCorpus compares what is built from every request of the corpus with what Kamailio 5.6.3 built (testdata/corpus.tsv):
// forward() to a UDP socket, and force_rport(); sl_send_reply("183", "Progress x").
func TestCorpus(t *testing.T) {
	dir := corpusDir(t)
	if dir == "" {
		return
	}
	tsv, err := os.ReadFile("testdata/corpus.tsv")
	if err != nil {
		t.Fatal(err)
	}
	dump := os.Getenv("KAHEA_DUMP") // a folder: what was built goes there
	recv := Received{Src: netip.MustParseAddrPort("127.0.0.1:5690")}
	for line := range strings.Lines(string(tsv)) {
		col := strings.Split(strings.TrimSpace(line), "\t")
		if col[0] == "file" {
			continue
		}
		t.Run(col[0], func(t *testing.T) {
			buf, err := os.ReadFile(filepath.Join(dir, col[0]))
			if err != nil {
				t.Fatal(err)
			}
			var m sipparse.Msg
			e := m.Parse(buf)
			if e == sipparse.OK {
				e = m.Mandatory()
			}
			var fwd, rpl []byte
			if e == sipparse.OK && m.Line.IsSIP {
				r := recv
				var l List
				hash, _ := BranchHash(&m)
				md5, _ := BranchMD5(&m, nil)
				via := ViaOpts{Proto: sipparse.UDP, Host: []byte("127.0.0.1"), Port: 5671, Branch: AppendBranch(nil, hash, md5[:], 0)}
				if fwd, e = AppendRequest(nil, &m, &l, &RequestOpts{Via: &via, Recv: r}); e != sipparse.OK {
					fwd = nil
				}
				r.ForceRPort = true
				o := ReplyOpts{Code: 183, Reason: []byte("Progress x"), Recv: r, Server: []byte(serverLine)}
				if col[3] != "-" {
					o.ToTag = []byte(col[3])
				}
				if rpl, e = AppendReply(nil, &m, &l, &o); e != sipparse.OK {
					rpl = nil
				}
			}
			for i, b := range [][]byte{fwd, rpl} {
				got := "-"
				if b != nil {
					sum := sha1.Sum(b)
					got = hex.EncodeToString(sum[:])
				}
				if want := col[1+i]; want != "skip" && got != want {
					t.Errorf("%s: sha1 %s, want %s; error of our side: %v", [...]string{"forward", "reply"}[i], got, want, e)
					if dump != "" {
						os.WriteFile(filepath.Join(dump, strings.ReplaceAll(col[0], "/", "__")+[...]string{".fwd", ".rpl"}[i]), b, 0o644)
					}
				}
			}
		})
	}
}

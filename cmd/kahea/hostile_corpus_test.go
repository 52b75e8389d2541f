package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusCuts is at how many offsets a message of the corpus is cut: at every one if it is of the torture messages.
const corpusCuts = 40

// TestHostileCorpus sends every message of the corpus that lies beside the repository. Where its index has what Kamailio 5.6.3 answered (with testdata/hostile/probe.cfg), the
// answer over UDP has to be that one; testdata/hostile/corpus.tsv lists the exceptions.
func TestHostileCorpus(t *testing.T) {
	if _, err := os.Stat(filepath.Join(corpusDir, "rfc4475")); err != nil {
		t.Skipf("no corpus of SIP messages beside the repository: %v", err)
	}
	want := corpusAnswers(t)
	const parts = 2 // each with a server of its own
	var l [parts][]hostileMessage
	for i, m := range corpus(t) {
		l[i%parts] = append(l[i%parts], m)
	}
	for i := range parts {
		t.Run(fmt.Sprint("part", i), func(t *testing.T) {
			t.Parallel()
			s := startHostileServer(t, "probe")
			for _, m := range l[i] {
				s.corpusMessage(m, want[m.name])
			}
			s.end()
		})
	}
}

func (s *hostileServer) corpusMessage(m hostileMessage, want string) {
	s.t.Helper()
	r := &result{}
	if _, err := s.udp.WriteTo(m.text[:min(len(m.text), 65507)], s.udp.to); err != nil {
		s.t.Fatal(err)
	}
	for _, b := range s.fenceUDP() {
		r.items = append(r.items, statusOf(b))
	}
	if got := r.String(); want != "" && got != want {
		s.t.Errorf("%s: got %s, want %s", m.name, got, want)
	}
	if *oracle != "" {
		return
	}
	// over TCP Content-Length decides where the message ends: the outcome is one, however it is cut
	n := corpusCuts
	if strings.HasPrefix(m.name, "rfc4475/") || strings.HasPrefix(m.name, "rfc5118/") {
		n = 0
	}
	fill := func(_, _ string) []byte { return m.text }
	whole := ""
	s.sendTCP("?", []int{0}, fill, func(x *sending) { whole = x.res.String() })
	s.sendTCP(whole, cuts(len(m.text), n), fill, func(x *sending) {
		if got := x.res.String(); got != whole {
			s.t.Errorf("%s: in one piece over TCP: %s; cut at %d: %s\n%.900q", m.name, whole, x.cut, got, x.res.answers)
		}
	})
	s.well(m.name)
}

// corpusAnswers reads the indexes of the corpus, and the exceptions.
func corpusAnswers(t *testing.T) map[string]string {
	answers := map[string]string{}
	indexes, err := filepath.Glob(corpusDir + "/*/INDEX.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range indexes {
		rows := readTSV(t, f)
		for _, row := range rows {
			if a, ok := row["kamailio_5_6_3"]; ok {
				name := filepath.Base(filepath.Dir(f)) + "/" + row["file"]
				if _, err := os.Stat(corpusDir + "/" + name + ".wire"); err == nil {
					name += ".wire" // the file itself has other line ends and lengths
				}
				answers[name] = answerOf(a)
			}
		}
	}
	if len(answers) == 0 {
		t.Fatal("no answers in the indexes of the corpus")
	}
	for _, row := range readTSV(t, "testdata/hostile/corpus.tsv") {
		if _, ok := answers[row["file"]]; !ok {
			t.Fatalf("corpus.tsv: %s is not in an index", row["file"])
		}
		answers[row["file"]] = row["kahea"]
	}
	return answers
}

// answerOf makes an outcome of what an index says.
func answerOf(s string) string {
	if s == "no answer" || s == "reply_route runs" {
		return "none"
	}
	code, _, _ := strings.Cut(s, " ")
	return code
}

// readTSV reads a table with a line of names on top.
func readTSV(t *testing.T, file string) (l []map[string]string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if names == nil {
			names = f
			continue
		}
		row := map[string]string{}
		for i, v := range f[:min(len(f), len(names))] {
			row[names[i]] = v
		}
		l = append(l, row)
	}
	return l
}

// corpus reads the torture messages, call flows and messages of real clients that lie beside the repository.
func corpus(t *testing.T) (l []hostileMessage) {
	err := filepath.WalkDir(corpusDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch filepath.Ext(path) {
		case ".md", ".tsv", ".cfg", ".txt":
			return nil
		}
		b, err := os.ReadFile(path)
		l = append(l, hostileMessage{strings.TrimPrefix(path, corpusDir+"/"), b})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

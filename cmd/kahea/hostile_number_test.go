package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// numberField is a field with a number that decides how far something is read or how long it is kept.
type numberField struct {
	name string
	max  string // the largest value that it may have
	text string // {} is the value
}

const numberMessage = "MESSAGE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/{proto} {local};branch=z9hG4bK{id}\r\nFrom: <sip:a@a.example>;tag=f\r\nTo: <sip:bob@b.example>\r\n" +
	"Call-ID: {id}\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nExpires: 60\r\nContact: <sip:a@127.0.0.1:9>\r\nContent-Length: 6\r\n\r\nbody\r\n"

const numberRegister = "REGISTER sip:b.example SIP/2.0\r\nVia: SIP/2.0/{proto} {local};branch=z9hG4bK{id}\r\nFrom: <sip:bob@b.example>;tag=f\r\nTo: <sip:bob@b.example>\r\n" +
	"Call-ID: {id}\r\nCSeq: 1 REGISTER\r\nExpires: 60\r\nContact: <sip:a@127.0.0.1:9>;q=0.5;expires=60\r\nContent-Length: 0\r\n\r\n"

func numberFields() (l []numberField) {
	add := func(name, max, text, old, with string) {
		if strings.Count(text, old) != 1 {
			panic(old)
		}
		l = append(l, numberField{name, max, strings.Replace(text, old, with, 1)})
	}
	add("content-length", "2147483647", numberMessage, "Content-Length: 6", "Content-Length: {}")
	add("cseq", "2147483647", numberMessage, "CSeq: 1", "CSeq: {}")
	add("max-forwards", "255", numberMessage, "Max-Forwards: 70", "Max-Forwards: {}")
	add("expires", "4294967295", numberMessage, "Expires: 60", "Expires: {}")
	add("ruri-port", "65535", numberMessage, "sip:bob@b.example SIP", "sip:bob@b.example:{} SIP")
	add("from-port", "65535", numberMessage, "sip:a@a.example", "sip:a@a.example:{}")
	add("contact-port", "65535", numberMessage, "127.0.0.1:9", "127.0.0.1:{}")
	add("via-port", "65535", numberMessage, "{local}", "127.0.0.1:{}")
	add("via-ttl", "255", numberMessage, ";branch", ";ttl={};branch")
	add("via-rport", "65535", numberMessage, ";branch", ";rport={};branch")
	add("ruri-ttl", "255", numberMessage, "sip:bob@b.example SIP", "sip:bob@b.example;ttl={} SIP")
	add("register-expires", "4294967295", strings.Replace(numberRegister, ";expires=60", "", 1), "Expires: 60", "Expires: {}")
	add("register-contact-expires", "4294967295", numberRegister, ";expires=60", ";expires={}")
	add("register-q", "1", numberRegister, "q=0.5", "q={}")
	add("register-cseq", "2147483647", numberRegister, "CSeq: 1", "CSeq: {}")
	return l
}

// numberValues are the values that a number takes.
func numberValues(max string) []string {
	var m uint64
	fmt.Sscan(max, &m)
	return []string{"0", "1", fmt.Sprint(m - 1), max, fmt.Sprint(m + 1), "2147483648", "4294967296", "-1", strings.Repeat("9", 30)}
}

// numberRead is what an answer says of how the numbers were read.
var numberRead = regexp.MustCompile(`(?m)^(?:X-Read: |Contact: .*>;?)(.*?)\r$`)

// TestHostileNumbers gives every field with a number the values at its edges and beyond. testdata/hostile/numbers.tsv has the outcome, and what was read, as Kamailio 5.6.3 has
// them, and ours where that is another.
func TestHostileNumbers(t *testing.T) {
	want := map[string]map[string]string{}
	for _, row := range readTSV(t, "testdata/hostile/numbers.tsv") {
		want[row["field"]+" "+row["value"]] = row
	}
	s := startHostileServer(t, "numbers")
	for _, f := range numberFields() {
		for _, v := range numberValues(f.max) {
			row := want[f.name+" "+v]
			if row == nil {
				row = map[string]string{}
				t.Errorf("%s %s: not in numbers.tsv", f.name, v)
			}
			for _, proto := range []string{"udp", "tcp"} {
				expect := row[proto]
				if k := row["kamailio-"+proto]; *oracle != "" && k != "" {
					expect = k
				}
				if got := s.number(f, v, proto, expect); got != expect {
					t.Errorf("%s %s: %s: got %s, want %s", f.name, v, proto, got, expect)
				}
			}
			s.well(f.name + " " + v)
		}
	}
	s.end()
}

// number sends a message and gives its outcome and what was read.
func (s *hostileServer) number(f numberField, value, proto, expect string) string {
	s.t.Helper()
	outcome, _, _ := strings.Cut(expect, " ")
	fill := func(id, local string) []byte {
		return fillHostile(f.text, value, strings.ToUpper(proto), s.srv.addr, local, id)
	}
	var r *result
	if proto == "udp" {
		id := s.word()
		r = s.sendUDP(fill(id, s.udp.addr()), id, outcome)
	} else {
		s.sendTCP(outcome, []int{0}, fill, func(x *sending) { r = x.res })
	}
	got := r.String()
	for _, a := range r.answers {
		if m := numberRead.FindSubmatch(a); m != nil {
			got += " " + string(bytes.ReplaceAll(m[1], []byte("\t"), []byte(" ")))
		}
	}
	return got
}

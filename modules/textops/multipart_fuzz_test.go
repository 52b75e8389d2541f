package textops

import (
	"bytes"
	"testing"
)

// FuzzParts: parts lie inside the body, one behind the other, and the walk ends.
func FuzzParts(f *testing.F) {
	for _, s := range []string{"", "--b", "--b\r\n--b--", "--b\r\nA: b\r\n\r\nhi\r\n--b--\r\n", "x\r\n--b \t\r\n\r\nhi\r\n--b\r\n\r\n\r\n--b--", "--b--b--b", "--b\n--b--\n", "--b\r\nA: b\r\n--b--"} {
		f.Add([]byte(s), []byte("b"))
	}
	f.Fuzz(func(t *testing.T, body, boundary []byte) {
		if len(boundary) == 0 || len(boundary) > maxBoundary {
			return
		}
		last, n := 0, 0
		closing := eachPart(body, boundary, func(p part) bool {
			if n++; n > len(body) {
				t.Fatal("more parts than bytes")
			}
			if p.delim < last || p.head <= p.delim || p.content < p.head || p.end < p.content || p.next < p.end || p.next >= len(body) {
				t.Fatalf("part %+v behind %d of %d bytes", p, last, len(body))
			}
			if !bytes.HasPrefix(body[p.next:], append([]byte("--"), boundary...)) {
				t.Fatalf("no delimiter at %d", p.next)
			}
			last = p.next
			return true
		})
		if closing >= 0 && closing < last {
			t.Fatalf("end at %d, the last part's is %d", closing, last)
		}
	})
}

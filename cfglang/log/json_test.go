package log

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestJSON: lines as Kamailio 5.6.3 writes them with the same flags (its time, which is master's, apart).
func TestJSON(t *testing.T) {
	script := Line{Level: Info, Prefix: []byte("[OPTIONS 1] "), Where: "<script>: ", File: "a.cfg", Number: 6, CallID: []byte("1"), Raw: true}
	fields := script
	fields.Prefix = []byte(`,"m":"OPTIONS"`)
	core := Line{Level: Warn, Where: "<core>: "}
	tests := []struct {
		engine string
		l      Line
		text   string
		want   string
	}{
		{"json", script, "plain \"text\"\t\x01\n", `{ "time": "T", "idx": 1, "pid": 7, "level": "INFO", "module": "xlog", "file": "a.cfg", "line": 6, "function": "", "logprefix": "[OPTIONS 1] ", "message": "plain \"text\"\t\u0001\n" }` + "\n"},
		{"json", core, "x", `{ "time": "T", "idx": 1, "pid": 7, "level": "WARNING", "module": "core", "file": "", "line": 0, "function": "", "logprefix": "", "message": "x" }` + "\n"},
		{"json:c", script, "x", `{ "time": "T", "idx": 1, "pid": 7, "level": "INFO", "module": "xlog", "file": "a.cfg", "line": 6, "function": "", "callid": "1", "logprefix": "[OPTIONS 1] ", "message": "x" }` + "\n"},
		{"json:a", core, "x", `{ "kamailio.time": "T", "kamailio.idx": 1, "kamailio.pid": 7, "kamailio.level": "WARNING", "kamailio.module": "core", "kamailio.file": "", "kamailio.line": 0, "kamailio.function": "", "kamailio.logprefix": "", "kamailio.message": "x" }` + "\n"},
		{"json:A", core, "x", `{ "kamailio.time": "T", "kamailio.idx": 1, "kamailio.pid": 7, "kamailio.level": "WARNING", "kamailio.module": "core", "kamailio.file": "", "kamailio.line": 0, "kamailio.function": "", "kamailio.logprefix": "", "message": "x" }` + "\n"},
		{"json:j", core, "x", `{ "time": "T", "idx": 1, "pid": 7, "level": "WARNING", "module": "core", "file": "", "line": 0, "function": "", "logprefix": { "text": "" }, "message": { "text": "x" } }` + "\n"},
		{"json:jM", core, "{\"a\":1}\n", `{ "time": "T", "idx": 1, "pid": 7, "level": "WARNING", "module": "core", "file": "", "line": 0, "function": "", "logprefix": { "text": "" }, "message": {"a":1} }` + "\n"},
		{"json:p", fields, "x", `{ "time": "T", "idx": 1, "pid": 7, "level": "INFO", "module": "xlog", "file": "a.cfg", "line": 6, "function": "","m":"OPTIONS", "message": "x" }` + "\n"},
		{"json:MN", core, "x\n", `{ "time": "T", "idx": 1, "pid": 7, "level": "WARNING", "module": "core", "file": "", "line": 0, "function": "", "logprefix": "", "message": "x" }`},
		{"json:U", script, "x\n", `{"time":"T","proc":{"id":"7","tid":7},"pri":"INFO","subsys":"xlog","file":{"name":"a.cfg","line":6},"native":{"function":""},"msg":"x\n","pname":"kahea","appname":"kahea","hostname":"H"}` + "\n"},
	}
	now := time.Date(2026, 11, 24, 14, 44, 34, 375487769, time.UTC)
	for _, c := range tests {
		t.Run(c.engine+" "+c.text, func(t *testing.T) {
			j, err := ParseEngine(c.engine, "kahea")
			if err != nil {
				t.Fatal(err)
			}
			j.now = func() time.Time { return now }
			j.host = "H"
			var out bytes.Buffer
			l := New(Options{JSON: j, Stderr: true, Out: &out, Slot: 1}, Debug)
			l.pid = 7
			l.Write(&c.l, []byte(c.text))
			got := strings.Replace(out.String(), "2026-11-24T14:44:34.375487769Z", "T", 1)
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if !json.Valid(out.Bytes()) {
				t.Errorf("this is no JSON: %s", out.String())
			}
		})
	}
	for _, bad := range []string{"udp", "json:x", ""} {
		if _, err := ParseEngine(bad, ""); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

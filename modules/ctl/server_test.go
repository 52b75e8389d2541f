package ctl

import (
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/lib/rpc"
)

// start serves specs in this process: what main opens is handed over as a child would get it.
func start(t *testing.T, m *mod) {
	t.Helper()
	h := &modules.Host{Proc: &route.Proc{Log: log.New(log.Options{Stderr: true, Out: io.Discard}, log.Err)}, RunDir: t.TempDir(), User: -1, Group: -1, Commands: &modules.Commands{}}
	loop := make(chan func())
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case f := <-loop:
				f()
			case <-stop:
				return
			}
		}
	}()
	h.Loop = func(f func()) {
		select {
		case loop <- f:
		case <-stop:
		}
	}
	fds := map[string]int{}
	h.KeepFile = func(name string, fd int) { fds[name] = fd }
	h.Files = func(name string) int {
		if _, ok := fds[name]; !ok {
			return -1
		}
		f := os.NewFile(uintptr(fds[name]), name)
		c, err := net.FileListener(f) // a copy, as a child has one
		if err == nil {
			g, err := c.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				t.Fatal(err)
			}
			if u, ok := c.(*net.UnixListener); ok {
				u.SetUnlinkOnClose(false)
			}
			c.Close()
			t.Cleanup(func() { g.Close() })
			return int(g.Fd())
		}
		return fds[name]
	}
	if err := h.Commands.Add(m.Exports().RPC...); err != nil {
		t.Fatal(err)
	}
	if err := h.Commands.Add(
		modules.RPC{Name: "a.two", Run: func(r *modules.Request) error { r.AddInt(7); r.AddStr("x"); return nil }},
		modules.RPC{Name: "a.long", Run: func(r *modules.Request) error { r.AddStr(strings.Repeat("x", 2000)); return nil }},
		modules.RPC{Name: "a.struct", Run: func(r *modules.Request) error { r.AddStruct().AddStr("n", strings.Repeat("x", 2000)); return nil }},
		modules.RPC{Name: "a.text", Run: func(r *modules.Request) error {
			s, err := r.Str()
			r.AddStr(s)
			return err
		}},
	); err != nil {
		t.Fatal(err)
	}
	if err := m.Setup(h); err != nil {
		t.Fatal(err)
	}
	if err := m.Init(h); err != nil {
		t.Fatal(err)
	}
	if err := m.Run(h, "handler"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		close(stop)
	})
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// answer reads one packet.
func answer(t *testing.T, c net.Conn) string {
	t.Helper()
	var b []byte
	tmp := make([]byte, 1)
	for {
		h, err := rpc.ParseHeader(b)
		if err == nil && len(b) == h.Size+h.Len {
			return hex.EncodeToString(b)
		}
		if _, err := c.Read(tmp); err != nil {
			t.Fatalf("after %x: %v", b, err)
		}
		b = append(b, tmp[0])
	}
}

func request(method string, params ...*modules.Node) []byte {
	return rpc.AppendRequest(nil, 0x1020304, method, params)
}

func fault(code int, text string) string {
	return hex.EncodeToString(rpc.AppendFault(nil, 0x1020304, code, text))
}

func TestStream(t *testing.T) {
	m := modules.New("ctl").(*mod)
	m.maxBody, m.maxStruct = 1, 1
	start(t, m)
	path := m.specs[0].path
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 || filepath.Base(path) != "kamailio_ctl" {
		t.Fatalf("socket %s: %v, %v", path, fi.Mode(), err)
	}
	for _, tc := range []struct {
		name string
		send []byte
		want string
	}{
		{"reply", request("a.two"), "a1130501020304" + "1007" + "217800"},
		{"unknown", request("nosuch.cmd"), fault(500, "command nosuch.cmd not found")},
		{"reply too long", request("a.long"), fault(500, "Internal server error processing 's': buffer too small (overflow) (-2)")},
		{"struct too long", request("a.struct"), fault(500, "Internal error")},
		{"number for text", request("a.text", &modules.Node{Kind: modules.KindInt, Int: 1}), fault(400, "error at parameter 0: expected string type but record doesn't match type")},
		{"no text", request("a.text"), fault(400, "error at parameter 0: expected string type but end of packet encountered")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, path)
			defer c.Close()
			if _, err := c.Write(tc.send); err != nil {
				t.Fatal(err)
			}
			if got := answer(t, c); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	t.Run("pieces and several at once", func(t *testing.T) {
		c := dial(t, path)
		b := append(request("a.two"), request("a.two")...)
		for _, part := range [][]byte{b[:1], b[1:9], b[9:]} {
			if _, err := c.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if got := answer(t, c); got != "a1130501020304"+"1007"+"217800" {
				t.Errorf("got %s", got)
			}
		}
	})
	// what is no binrpc is answered as Kamailio does, and the connection ends
	for _, tc := range []struct{ name, send, want string }{
		{"magic", "b1030f01020304", "a1302300200190911e62616420726571756573743a20636f72727570746564207061636b657400"},
		{"a reply", "a11300" + "01020304", "a1332301020304200190911e62616420726571756573743a20636f72727570746564207061636b657400"},
		{"no method", "a10300" + "01020304", "a1333301020304200190912e6261642072657175657374206d6574686f643a20656e64206f66207061636b657420656e636f756e746572656400"},
		{"a number as method", "a1030201020304" + "1005", "a1333301020304200190912e6261642072657175657374206d6574686f643a207265636f726420646f65736e2774206d61746368207479706500"},
		{"half a method", "a1030201020304" + "915f", "a1332a0102030420019091256261642072657175657374206d6574686f643a206d6f72652064617461206e656564656400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, path)
			b, err := hex.DecodeString(tc.send)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			if got := answer(t, c); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if n, err := c.Read(b); err != io.EOF {
				t.Errorf("the connection stays: %d, %v", n, err)
			}
		})
	}
}

func TestConnections(t *testing.T) {
	m := modules.New("ctl").(*mod)
	start(t, m)
	path := m.specs[0].path
	c := dial(t, path)
	ask := func(method string, want ...string) {
		t.Helper()
		if _, err := c.Write(request(method)); err != nil {
			t.Fatal(err)
		}
		var out []*modules.Node
		for _, w := range want {
			out = append(out, &modules.Node{Kind: modules.KindStr, Str: w})
		}
		if method == "ctl.connections" {
			out = []*modules.Node{{Kind: modules.KindInt, Int: 1}}
		}
		b, _ := rpc.AppendReply(nil, 0x1020304, out, 1<<16)
		if got := answer(t, c); got != hex.EncodeToString(b) {
			t.Errorf("%s: got %s, want %x", method, got, b)
		}
	}
	ask("ctl.connections")
	ask("ctl.who", "binrpc", "unix_stream", "<anonymous unix socket>", "", path, "")
	ask("ctl.listen", "binrpc", "unix_stream", path, "")
	// over another protocol there is nothing to tell
	r := &modules.Request{}
	if err := m.who(r); err != errOnlyHere {
		t.Errorf("ctl.who: %v", err)
	}
	if err := m.listen(r); err != nil || len(r.Out) != 0 {
		t.Errorf("ctl.listen: %v, %v", r.Out, err)
	}
}

func TestClose(t *testing.T) {
	m := modules.New("ctl").(*mod)
	path := ""
	t.Run("serve", func(t *testing.T) {
		start(t, m)
		path = m.specs[0].path
		dial(t, path)
	})
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestSpec(t *testing.T) {
	for _, tc := range []struct {
		in, name, host, port string
		bad                  bool
	}{
		{in: "unixs:/run/x", name: "unix_stream", host: "/run/x"},
		{in: "unix:/run/x", name: "unix_stream", host: "/run/x"},
		{in: "unixd:/run/x", name: "unix_dgram", host: "/run/x"},
		{in: "/run/x", name: "unix_stream", host: "/run/x"},
		{in: "127.0.0.1", name: "udp", host: "127.0.0.1", port: "2049"},
		{in: "127.0.0.1:17", name: "udp", host: "127.0.0.1", port: "17"},
		{in: "tcp:localhost:2048", name: "tcp", host: "localhost", port: "2048"},
		{in: "tcp:[::1]:2048", name: "tcp", host: "::1", port: "2048"},
		{in: "udp:[::1]", name: "udp", host: "::1", port: "2049"},
		{in: "tcp:*:1", name: "tcp", host: "*", port: "1"},
		{in: "tcp:1.2.3.4:0", bad: true},
		{in: "tcp:1.2.3.4:x", bad: true},
		{in: "tcp:", bad: true},
		{in: "sctp:1.2.3.4", bad: true},
	} {
		t.Run(tc.in, func(t *testing.T) {
			s, err := parseSpec(tc.in)
			if tc.bad != (err != nil) {
				t.Fatalf("error %v", err)
			}
			if err == nil && (s.name() != tc.name || s.host() != tc.host || s.portText() != tc.port) {
				t.Errorf("got %s %s %s", s.name(), s.host(), s.portText())
			}
		})
	}
}

package main

import (
	"bytes"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"kahea/modules"
	"kahea/modules/lib/rpc"
)

// fakeServer answers each request over a unix socket with what answer says and notes what was asked.
type fakeServer struct {
	addr   string
	answer func(cookie uint32) []byte

	mu    sync.Mutex
	asked []*modules.Node // the last request: method and parameters
}

func newFakeServer(t *testing.T, answer func(cookie uint32) []byte) *fakeServer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ctl")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeServer{addr: "unixs:" + path, answer: answer}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(t, c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return s
}

func (s *fakeServer) serve(t *testing.T, c net.Conn) {
	defer c.Close()
	h, body, err := rpc.ReadPacket(c)
	if err != nil {
		t.Errorf("request: %v", err)
		return
	}
	asked, err := rpc.ParseBody(body)
	if err != nil {
		t.Errorf("request: %v", err)
		return
	}
	s.mu.Lock()
	s.asked = asked
	s.mu.Unlock()
	b := s.answer(h.Cookie)
	if b == nil { // says nothing until the client goes
		_, _ = c.Read(make([]byte, 1))
		return
	}
	for len(b) > 0 { // in small pieces
		n := min(len(b), 7)
		if _, err := c.Write(b[:n]); err != nil {
			t.Errorf("answer: %v", err)
		}
		b = b[n:]
	}
}

func (s *fakeServer) request() []*modules.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func reply(out ...*modules.Node) func(uint32) []byte {
	return func(cookie uint32) []byte {
		b, _ := rpc.AppendReply(nil, cookie, out, rpc.MaxPacket)
		return b
	}
}

func num(n int64) *modules.Node { return &modules.Node{Kind: modules.KindInt, Int: n} }

// exampleReply has every kind of value.
func exampleReply() []*modules.Node {
	st := &modules.Node{Kind: modules.KindStruct}
	st.AddStr("name", "a b")
	st.AddInt("n", -1)
	st.AddDouble("f", 0.5)
	sub := st.AddStruct("sub")
	sub.AddStr("x", "")
	l := st.AddArray("socket")
	for _, p := range []string{"udp", "tcp"} {
		l.AddStruct("").AddStruct("socket").AddStr("proto", p)
	}
	return []*modules.Node{num(7), text("text"), st}
}

func kaheactl(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

const exampleText = "7\ntext\n{\n\tname: a b\n\tn: -1\n\tf: 0.500000\n\tsub: {\n\t\tx: \n\t}\n\tsocket: {\n\t\tsocket: {\n\t\t\tproto: udp\n\t\t}\n\t\tsocket: {\n\t\t\tproto: tcp\n\t\t}\n\t}\n}\n"

func TestReply(t *testing.T) {
	s := newFakeServer(t, reply(exampleReply()...))
	if code, out, errs := kaheactl("-s", s.addr, "x"); code != 0 || out != exampleText || errs != "" {
		t.Errorf("exit code %d, %q, want\n%s\ngot\n%s", code, errs, exampleText, out)
	}
	const want = `[7,"text",{"name":"a b","n":-1,"f":0.500000,"sub":{"x":""},"socket":[{"socket":{"proto":"udp"}},{"socket":{"proto":"tcp"}}]}]` + "\n"
	if code, out, errs := kaheactl("--json", "-s", s.addr, "x"); code != 0 || out != want || errs != "" {
		t.Errorf("exit code %d, %q, want\n%s\ngot\n%s", code, errs, want, out)
	}
	empty := newFakeServer(t, reply())
	if code, out, _ := kaheactl("-j", "-s", empty.addr, "x"); code != 0 || out != "[]\n" {
		t.Errorf("nothing as JSON: exit code %d, %q", code, out)
	}
}

func TestFaults(t *testing.T) {
	fault := newFakeServer(t, func(cookie uint32) []byte { return rpc.AppendFault(nil, cookie, 404, "no such thing") })
	silent := newFakeServer(t, func(uint32) []byte { return nil })
	other := newFakeServer(t, func(cookie uint32) []byte { return reply(num(1))(cookie + 1) })
	garbage := newFakeServer(t, func(uint32) []byte { return []byte("HTTP/1.1 200 OK") })
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"fault", []string{"-s", fault.addr, "x"}, "error: 404 - no such thing\n"},
		{"timeout", []string{"-s", silent.addr, "-t", "10ms", "x"}, "error: x: no answer within 10ms\n"},
		{"another's answer", []string{"-s", other.addr, "x"}, "error: answer to x: " + rpc.ErrReply.Error() + "\n"},
		{"no binrpc", []string{"-s", garbage.addr, "x"}, "error: answer to x: no binrpc packet\n"},
		{"no server", []string{"-s", "/nowhere/ctl", "x"}, "error: no way to the server (does it load module ctl?): dial unix /nowhere/ctl: connect: no such file or directory\n"},
		{"unixd", []string{"-s", "unixd:/x", "x"}, "not there yet"},
		{"no command", nil, "error: no command (see -h)\n"},
		{"option", []string{"--x"}, "(see -h)"},
		{"reload with a parameter", []string{"reload", "x"}, `error: reload: unexpected parameter "x" (see -h)`},
		{"upgrade with three", []string{"upgrade", "x", "check", "y"}, `error: upgrade: unexpected parameter "y" (see -h)`},
		{"quarantine verb", []string{"quarantine", "x"}, errQuarantine.Error()},
		{"quarantine release nothing", []string{"quarantine", "release"}, errQuarantine.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := kaheactl(c.args...)
			if code != 1 || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("exit code %d, standard output %q, standard error\n%q, want\n%q", code, out, errs, c.want)
			}
		})
	}
	if code, out, _ := kaheactl("-h"); code != 0 || !strings.Contains(out, "--timeout") {
		t.Errorf("help: exit code %d, %q", code, out)
	}
}

func TestCommands(t *testing.T) {
	s := newFakeServer(t, reply())
	for _, c := range []struct {
		words []string
		want  []*modules.Node
	}{
		{[]string{"core.psx"}, []*modules.Node{text("core.psx")}},
		{[]string{"reload"}, []*modules.Node{text("kahea.reload")}},
		{[]string{"mem"}, []*modules.Node{text("kahea.mem")}},
		{[]string{"upgrade"}, []*modules.Node{text("kahea.upgrade")}},
		{[]string{"upgrade", "/a"}, []*modules.Node{text("kahea.upgrade"), text("/a")}},
		{[]string{"upgrade", "/a", "check"}, []*modules.Node{text("kahea.upgrade"), text("/a"), text("check")}},
		{[]string{"quarantine"}, []*modules.Node{text("kahea.quarantine")}},
		{[]string{"quarantine", "list"}, []*modules.Node{text("kahea.quarantine")}},
		{[]string{"quarantine", "release", "0000000000000012"}, []*modules.Node{text("kahea.quarantine.release"), text("0000000000000012")}},
		{[]string{"x", "-7", "+4930123456789", "4294967296", "-s"}, []*modules.Node{text("x"), num(-7), text("+4930123456789"), text("4294967296"), text("-s")}},
	} {
		t.Run(strings.Join(c.words, " "), func(t *testing.T) {
			if code, _, errs := kaheactl(append([]string{"-s", s.addr}, c.words...)...); code != 0 {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			if got := s.request(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("asked %q, want %q", appendJSON(nil, got), appendJSON(nil, c.want))
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ in, network, address string }{
		{"unixs:/a/b", "unix", "/a/b"}, {"unix:b", "unix", "b"}, {"/a/b", "unix", "/a/b"}, {"./b", "unix", "./b"},
		{"tcp:localhost", "tcp", "localhost:2049"}, {"tcp:127.0.0.1:1", "tcp", "127.0.0.1:1"}, {"tcp:[::1]", "tcp", "[::1]:2049"}, {"udp:[::1]:5", "udp", "[::1]:5"},
		{"localhost", "udp", "localhost:2049"}, {"localhost:7", "udp", "localhost:7"},
	} {
		if n, a, err := parseAddress(c.in); n != c.network || a != c.address || err != nil {
			t.Errorf("%s: %s %s, %v; want %s %s", c.in, n, a, err, c.network, c.address)
		}
	}
	for _, s := range []string{"", "tcp:", "unixs:"} {
		if _, _, err := parseAddress(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

// TestKamcmd asks kamcmd for the same: it must ask the server for the same and print the same.
func TestKamcmd(t *testing.T) {
	bin, err := exec.LookPath("kamcmd")
	if err != nil {
		t.Skipf("kamcmd is not installed (Debian's kamailio): %v", err)
	}
	s := newFakeServer(t, reply(exampleReply()...))
	kamcmd := func(t *testing.T, args ...string) string {
		t.Helper()
		c := exec.Command(bin, append([]string{"-s", s.addr}, args...)...)
		c.WaitDelay = 20 * time.Second
		out, err := c.Output()
		var ee *exec.ExitError
		if err != nil && !errors.As(err, &ee) {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, args := range [][]string{{"core.psx"}, {"x", "1", "s:2", "three", "0.5"}, {"x", "007", "+5", "1.", ".5", "1e3", "s:"}, {"x", "a b", "1a", "1.2.3", "0.5.", "S:1", "2147483647"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			want := kamcmd(t, args...)
			asked := s.request()
			code, got, errs := kaheactl(append([]string{"-s", s.addr}, args...)...)
			if code != 0 || got != want {
				t.Errorf("exit code %d, %s\n%q, kamcmd prints\n%q", code, errs, got, want)
			}
			if a, b := appendJSON(nil, s.request()), appendJSON(nil, asked); !bytes.Equal(a, b) {
				t.Errorf("asked %s, kamcmd asks %s", a, b)
			}
		})
	}
}

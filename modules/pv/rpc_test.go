package pv_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

// TestSharedCommands: an operator reads and sets what the script sees, with kamcmd's answers.
func TestSharedCommands(t *testing.T) {
	s := modtest.Start(t, load+`
modparam("pv", "shvset", "a=s:text")
modparam("pv", "shvset", "b=i:5")
request_route { xlog("L_INFO", "$shv(a) $shv(b)\n"); }`)
	for _, c := range []struct {
		call []any
		want string // of the answer or the error
	}{
		{[]any{"pv.shvGet", "a"}, "name: a type: string value: text"},
		{[]any{"pv.shvGet", "b"}, "name: b type: int value: 5"},
		{[]any{"pv.shvGet", "no"}, "404 Variable not found"},
		{[]any{"pv.shvSet", "a", "int", 9}, "Ok. Variable set to new value."},
		{[]any{"pv.shvSet", "b", "str", "new"}, "Ok. Variable set to new value."},
		{[]any{"pv.shvSet", "b", "str", strings.Repeat("x", 2000)}, "500 2000 bytes are more than 1004"},
		{[]any{"pv.shvSet", "no", "int", 1}, "404 Variable not found"},
		{[]any{"pv.shvSet", "a", "s", "x"}, "500 Unknown parameter type"},
		{[]any{"pv.shvSet", "a", "int"}, "500 Missing integer parameter value"},
		{[]any{"pv.shvSet", "a"}, "500 Missing parameter type"},
		{[]any{"pv.shvSet"}, "500 Missing parameter varname"},
		{[]any{"pv.shvGet"}, "items: shv: name: b type: string value: new shv: name: a type: int value: 9"},
	} {
		got, err := s.RPC(c.call[0].(string), c.call[1:]...)
		if err != nil {
			got = err.Error()
		}
		if got = strings.Join(strings.Fields(strings.NewReplacer("{", " ", "}", " ").Replace(got)), " "); !strings.Contains(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.call, got, c.want)
		}
	}
	s.Receive(modtest.Request("OPTIONS", "sip:a@b"))
	if l := s.Log(); !strings.HasSuffix(l, "9 new\n") {
		t.Errorf("the script logged %q", l)
	}
}

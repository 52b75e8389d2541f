package rpc

import (
	"encoding/json"
	"testing"

	"kahea/modules"
)

func TestAnswer(t *testing.T) {
	var cmds modules.Commands
	add := func(name string, array bool, f func(r *modules.Request) error) {
		if err := cmds.Add(modules.RPC{Name: name, Array: array, Run: f}); err != nil {
			t.Fatal(err)
		}
	}
	two := func(r *modules.Request) error { r.AddInt(1); r.AddStr("x"); return nil }
	add("list", true, two)
	add("last", false, two)
	add("none", false, func(*modules.Request) error { return nil })
	add("nothing", true, func(*modules.Request) error { return nil })
	add("fault", false, func(*modules.Request) error { return modules.NewFault(400, "no %s", "way") })
	add("tree", false, func(r *modules.Request) error {
		n := r.AddStruct()
		n.AddArray("l").AddStruct("").AddInt("a", 1)
		n.AddArray("e")
		return nil
	})
	add("echo", true, func(r *modules.Request) error { r.Out = r.Params; return nil })
	for _, tc := range []struct{ name, request, want string }{
		{"list", `{"jsonrpc":"2.0","method":"list","id":1}`, `{"jsonrpc":"2.0","result":[1,"x"],"id":1}`},
		{"the last value counts", `{"jsonrpc":"2.0","method":"last","id":"a"}`, `{"jsonrpc":"2.0","result":"x","id":"a"}`},
		{"nothing", `{"jsonrpc":"2.0","method":"none","id":1}`, `{"jsonrpc":"2.0","result":{},"id":1}`},
		{"nothing of a list", `{"jsonrpc":"2.0","method":"nothing","id":1}`, `{"jsonrpc":"2.0","result":[],"id":1}`},
		{"without id", `{"jsonrpc":"2.0","method":"last"}`, `{"jsonrpc":"2.0","result":"x"}`},
		{"null id", `{"jsonrpc":"2.0","method":"last","id":null}`, `{"jsonrpc":"2.0","result":"x","id":0}`},
		{"fraction as id", `{"jsonrpc":"2.0","method":"last","id":1.5}`, `{"jsonrpc":"2.0","result":"x","id":1.500000}`},
		{"unknown method", `{"jsonrpc":"2.0","method":"x","id":1}`, `{"jsonrpc":"2.0","error":{"code":500,"message":"Method Not Found"},"id":1}`},
		{"fault", `{"jsonrpc":"2.0","method":"fault","id":1}`, `{"jsonrpc":"2.0","error":{"code":400,"message":"no way"},"id":1}`},
		{"no version", `{"method":"last","id":1}`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":1}`},
		{"scalar params", `{"jsonrpc":"2.0","method":"last","params":5,"id":1}`, `{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params"},"id":1}`},
		{"params by name", `{"jsonrpc":"2.0","method":"echo","params":{"b":2,"a":"3"},"id":1}`, `{"jsonrpc":"2.0","result":[2,"3"],"id":1}`},
		{"text", `{"jsonrpc":"2.0","method":"echo","params":["a\"b\\c\n\tü/\u0001"],"id":1}`, `{"jsonrpc":"2.0","result":["a\"b\\c\n\tü/\u0001"],"id":1}`},
		{"behind the request", ` {"jsonrpc":"2.0","method":"last","id":1} xx`, `{"jsonrpc":"2.0","result":"x","id":1}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := ParseJSON([]byte(tc.request))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			Answer(&cmds, r, false, func(_ int, b []byte) { got = string(b) })
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	r, err := ParseJSON([]byte(`{"jsonrpc":"2.0","method":"tree","id":1}`))
	if err != nil {
		t.Fatal(err)
	}
	Answer(&cmds, r, true, func(_ int, b []byte) {
		want := "{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t{\n\t\t\"l\":\t[{\n\t\t\t\t\"a\":\t1\n\t\t\t}],\n\t\t\"e\":\t[]\n\t},\n\t\"id\":\t1\n}"
		if string(b) != want {
			t.Errorf("got %s, want %s", b, want)
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"jsonrpc":"2.0","method":"x","params":[1,-2.5,"a",null,true,{"b":[]}],"id":1}`, `[]`, `{"id":1e99}`, `{"a"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseJSON(b)
		if err != nil {
			return
		}
		for _, pretty := range []bool{false, true} {
			if out := JSONResult(nil, r, true, r.Params, pretty); !json.Valid(out) {
				t.Fatalf("%q answered with %q", b, out)
			}
		}
	})
}

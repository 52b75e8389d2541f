package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"kahea/perf/load"
	"kahea/perf/proctree"
	"kahea/perf/serve"
)

func TestChoose(t *testing.T) {
	got, err := choose([]string{"options-*", "start"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range got {
		names = append(names, c.Name)
	}
	if s := strings.Join(names, " "); s != "options-udp options-tcp options-paced start" {
		t.Errorf("got %s", s)
	}
	if _, err := choose([]string{"dance"}); err == nil {
		t.Error("an unknown scenario: no error")
	}
}

func measured(us int, bytes float64) result {
	return result{Use: proctree.Use{Total: time.Duration(us) * time.Microsecond, User: time.Duration(us) * 500}, Load: &load.Result{Started: 1, Done: 1}, Bytes: bytes}
}

func TestTable(t *testing.T) {
	all := cases()
	find := func(name string) benchCase {
		for _, c := range all {
			if c.Name == name {
				return c
			}
		}
		t.Fatalf("no case %s", name)
		return benchCase{}
	}
	tab := table{Servers: []serve.Server{{Name: "kahea"}, {Name: "kamailio"}}}
	tab.Rows = []row{
		{find("options-udp"), [][]result{{measured(5, 0), measured(9, 0), measured(6, 0)}, {measured(12, 0), {Err: errors.New("no")}, measured(12, 0)}}},
		{find("memory-contact"), [][]result{{measured(0, 300)}, {measured(0, 900)}}},
		{find("call-udp"), [][]result{{{Err: errors.New("broken")}}, {measured(50, 0)}}},
	}
	s := tab.String()
	for _, want := range []string{"| options-udp |      0.50 |       0.50 |         6.00 |", "| memory-contact |   300 |      900 |  0.33 | bytes |", "- call-udp: kahea failed: broken"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	if err := tab.Err(); err == nil || !strings.Contains(err.Error(), "call-udp, round 1, kahea: broken") || !strings.Contains(err.Error(), "options-udp, round 2, kamailio: no") {
		t.Errorf("errors: %v", err)
	}
}

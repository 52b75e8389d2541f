package main

import (
	"strings"
	"testing"
)

// TestDoc: whatever has a name can be asked for, and the tables say something of it.
func TestDoc(t *testing.T) {
	tests := []struct {
		ask  string
		code int
		want []string
	}{
		{"t_relay", 0, []string{"function t_relay of module tm", "t_relay([string[, string]])", "request_route failure_route", "t_relay();"}},
		{"children", 0, []string{"global parameter children", "number, 1 to 450", "default: 8"}},
		{"shm", 0, []string{"global parameter shm_mem_size", "aliases: shm shm_mem"}},
		{"core.debug", 0, []string{"global parameter debug", "cfg.set"}},
		{"$ru", 0, []string{"variable $ru of module pv", "can be set"}},
		{"usrloc.hash_size", 0, []string{`modparam("usrloc", "hash_size", 10)`, "restart only"}},
		{"s.len", 0, []string{"transformation s.len of module pv", "$(ru{s.len})"}},
		{"core.psx", 0, []string{"command core.psx of the core", "kaheactl core.psx"}},
		{"tm.so", 0, []string{"module tm", "t_relay", "fr_timer"}},
		{"t_rellay", exitError, []string{`there is no "t_rellay"`, `did you mean "t_relay"?`}},
		{"-h", 0, []string{"usage: kahea doc NAME"}},
	}
	for _, c := range tests {
		t.Run(c.ask, func(t *testing.T) {
			var out strings.Builder
			if code := runDoc([]string{c.ask}, &out, &out); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("got\n%s\nwant %q", out.String(), w)
				}
			}
		})
	}
	for _, e := range entries() {
		if e.doc == "" {
			t.Errorf("%s: the table says nothing of it", e.title)
		}
	}
}

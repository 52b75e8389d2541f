package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// TestStatistics reads SIPp's file as it may be found while SIPp writes it.
func TestStatistics(t *testing.T) {
	const head = "StartTime;TotalCallCreated;FailedCall(C);CallLength(C);\n"
	for _, c := range []struct {
		name, text string
		want       map[string]int
		fails      bool
	}{
		{name: "nothing", text: ""},
		{name: "part of the head", text: "StartTime;Total"},
		{name: "head", text: head},
		{name: "one line", text: head + "2026;7;1;00:00:01;\n", want: map[string]int{"StartTime": 2026, "TotalCallCreated": 7, "FailedCall(C)": 1}},
		{name: "the last whole line", text: head + "2026;7;1;00:00:01;\n2026;9;2;00:00:01;\n2026;1", want: map[string]int{"StartTime": 2026, "TotalCallCreated": 9, "FailedCall(C)": 2}},
		{name: "columns are missing", text: head + "2026;7;\n", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := &sipp{name: "caller", stats: filepath.Join(t.TempDir(), "stat.csv")}
			if err := os.WriteFile(x.stats, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := x.statistics()
			if (err != nil) != c.fails || !maps.Equal(got, c.want) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
}

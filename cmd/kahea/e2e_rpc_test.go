package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"kahea/modules"
	"kahea/modules/lib/rpc"
)

// rpc plays a transcript: a line "> COMMAND PARAMETER..." is a command (whole numbers are numbers, s:TEXT is a text, as with kamcmd), what stands below is its
// reply.
func (c *scenario) rpc(text string) {
	c.t.Helper()
	for part := range strings.SplitSeq("\n"+strings.TrimRight(text, "\n"), "\n> ") {
		if part == "" {
			continue
		}
		line, want, _ := strings.Cut(part, "\n")
		f := strings.Fields(line)
		if got := c.srv.transcript(f[0], f[1:]); got != want {
			c.t.Errorf("%s: > %s\n--- got:\n%s\n--- want:\n%s", c.step, line, got, want)
		}
	}
}

// transcript calls a command and prints its reply.
func (s *instance) transcript(method string, params []string) string {
	var in []*modules.Node
	for _, p := range params {
		if n, err := strconv.ParseInt(p, 10, 32); err == nil {
			in = append(in, &modules.Node{Kind: modules.KindInt, Int: n})
			continue
		}
		in = append(in, &modules.Node{Kind: modules.KindStr, Str: strings.TrimPrefix(p, "s:")})
	}
	out, err := rpc.Ask("unix", filepath.Join(s.runDir(), "kamailio_ctl"), patience, method, in)
	var fault *modules.Fault
	switch {
	case errors.As(err, &fault):
		return fmt.Sprintf("error: %d - %s", fault.Code, fault.Text)
	case err != nil:
		return err.Error()
	}
	var b strings.Builder
	for _, n := range out {
		writeNode(&b, "", n)
	}
	return strings.TrimRight(b.String(), "\n")
}

func writeNode(b *strings.Builder, indent string, n *modules.Node) {
	switch n.Kind {
	case modules.KindInt:
		fmt.Fprintf(b, "%d\n", n.Int)
	case modules.KindStr:
		b.WriteString(n.Str + "\n")
	case modules.KindStruct:
		b.WriteString("{\n")
		for i, x := range n.Members {
			b.WriteString(indent + "\t" + n.Names[i] + ": ")
			writeNode(b, indent+"\t", x)
		}
		b.WriteString(indent + "}\n")
	default:
		fmt.Fprintf(b, "(kind %d)\n", n.Kind)
	}
}

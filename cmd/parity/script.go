package main

import (
	"fmt"
	"strings"
)

// runScript is what {SCRIPTS} stands for: a request that names a script case runs it, and the reply carries what it has shown.
const runScript = `if (is_present_hf("X-Case")) { $var(n) = 0; $var(case) = $hdr(X-Case); route($var(case)); sl_send_reply("200", "OK"); exit; }`

// showValue appends $vn(r) to the reply, with its type and the number of the line.
const showValue = `
route["parity-show"] {
	$var(n) = $var(n) + 1;
	if (!pv_isset("$vn(r)")) { append_to_reply("V: $var(n) null\r\n"); }
	else if (typeof("$vn(r)", "int")) { append_to_reply("V: $var(n) int $vn(r)\r\n"); }
	else { append_to_reply("V: $var(n) [$vn(r)]\r\n"); }
}
`

// script is a case that is written as script: a route, and the steps that run it.
type script struct {
	Route string
	Steps []step
}

// parseScript reads the body of a script case. A line "? EXPR" shows the value of an expression in the reply; other lines are statements.
// From the first line that is a step on, the case's own message and steps follow; without any, A sends an OPTIONS.
func parseScript(name string, lines []string, at int) (*script, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "route[%q] {\n", name)
	n := 0
	for ; n < len(lines) && !peerStep.MatchString(lines[n]); n++ {
		if expr, ok := strings.CutPrefix(lines[n], "? "); ok {
			fmt.Fprintf(&b, "\t$vn(r) = %s; route(\"parity-show\");\n", strings.TrimSpace(expr))
			continue
		}
		fmt.Fprintf(&b, "\t%s\n", lines[n])
	}
	b.WriteString("\treturn;\n}\n")
	rest := lines[n:]
	if len(rest) == 0 {
		rest = []string{"A > OPTIONS sip:{case}@{S}"}
	}
	steps, err := parseSteps(rest, at+n)
	if err != nil {
		return nil, err
	}
	for i := range steps {
		if steps[i].Verb == sendRequest && steps[i].Method != "ACK" {
			steps[i].Edits = append(steps[i].Edits, edit{op: '=', name: "X-Case", value: name})
		}
	}
	if last := &steps[len(steps)-1]; last.Verb == sendRequest {
		steps = append(steps, step{Line: last.Line, Verb: wait, Peer: last.Peer, Want: "200", For: waitTimeout, To: "S"})
	}
	return &script{Route: b.String(), Steps: steps}, nil
}

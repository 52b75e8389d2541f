package syntax

import (
	"fmt"
	"strings"
)

// condKind groups the operands of core conditions by what they are compared with.
type condKind uint8

const (
	condMethod condKind = iota
	condURI
	condIP
	condInt
	condProto
	condMyself
)

func isCondition(s string) bool {
	switch s {
	case "method", "uri", "status", "from_uri", "to_uri", "src_ip", "dst_ip", "snd_ip", "to_ip", "src_port", "dst_port", "snd_port",
		"to_port", "af", "snd_af", "to_af", "msg:len", "proto", "snd_proto", "to_proto", "myself":
		return true
	}
	return false
}

func conditionKind(s string) condKind {
	switch s {
	case "method":
		return condMethod
	case "uri", "status", "from_uri", "to_uri":
		return condURI
	case "src_ip", "dst_ip", "snd_ip", "to_ip":
		return condIP
	case "proto", "snd_proto", "to_proto":
		return condProto
	case "myself":
		return condMyself
	}
	return condInt
}

// command is a command of the core: which arguments its grammar takes. Each form is one letter per argument:
// s string, n number, i number with a sign, h host or uri:host, p port number or uri:port, f flag number or name, k socket, w transport word,
// a attribute or string, e expression, r name of a route or expression.
type command struct {
	forms []string
	bare  bool // may stand without parentheses
}

func coreCommand(name string) (command, bool) {
	switch name {
	case "forward":
		return command{forms: []string{"", "h", "hp"}}, true
	case "forward_udp", "forward_tcp", "forward_tls", "forward_sctp":
		return command{forms: []string{"h", "hp"}}, true
	case "rewritehost", "sethost", "seth", "rewritehostport", "sethostport", "sethp", "rewritehostporttrans", "sethostporttrans", "sethpt",
		"rewriteuser", "setuser", "setu", "rewriteuserpass", "setuserpass", "setup", "rewriteport", "setport", "setp", "rewriteuri", "seturi",
		"prefix", "exec", "cfg_reset":
		return command{forms: []string{"s"}}, true
	case "strip", "strip_tail":
		return command{forms: []string{"n"}}, true
	case "remove_branch":
		return command{forms: []string{"", "i"}}, true
	case "userphone", "clear_branches":
		return command{forms: []string{""}}, true
	case "revert_uri", "add_rport", "force_rport", "add_local_rport", "set_forward_no_connect", "set_reply_no_connect",
		"set_forward_close", "set_reply_close":
		return command{forms: []string{""}, bare: true}, true
	case "add_tcp_alias", "force_tcp_alias":
		return command{forms: []string{"", "n"}, bare: true}, true
	case "udp_mtu_try_proto":
		return command{forms: []string{"w"}}, true
	case "set_advertised_address":
		return command{forms: []string{"h"}}, true
	case "set_advertised_port":
		return command{forms: []string{"n", "s"}}, true
	case "force_send_socket":
		return command{forms: []string{"k"}}, true
	case "setflag", "resetflag", "isflagset":
		return command{forms: []string{"f"}}, true
	case "setavpflag", "resetavpflag", "isavpflagset":
		return command{forms: []string{"as"}}, true
	case "log":
		return command{forms: []string{"s", "is"}}, true
	case "error":
		return command{forms: []string{"ss"}}, true
	case "cfg_select":
		return command{forms: []string{"se"}}, true
	case "route":
		return command{forms: []string{"r"}}, true
	}
	return command{}, false
}

// argName says what a letter of a form wants.
func argName(letter byte) string {
	switch letter {
	case 's':
		return "a string"
	case 'n', 'i':
		return "a number"
	case 'h':
		return "an address, a host name or uri:host"
	case 'p':
		return "a port number or uri:port"
	case 'f':
		return "the number or name of a flag"
	case 'k':
		return "[proto:]address[:port]"
	case 'w':
		return "a transport protocol"
	case 'a':
		return "an attribute"
	case 'r':
		return "the name of a route"
	}
	return "an expression"
}

// coreArgs parses the arguments and the closing parenthesis. Which form is meant shows argument by argument.
func (p *parser) coreArgs(c *Call, cmd command) {
	forms := cmd.forms
	for i := 0; ; i++ {
		t := *p.peek()
		if t.is(")") {
			for _, f := range forms {
				if len(f) == i {
					p.take()
					return
				}
			}
			p.failAt(&t, fmt.Sprintf("syntax error: %s: argument missing", c.Name), "expected: "+wanted(forms, i))
		}
		var left []string
		for _, f := range forms {
			if len(f) > i && p.fits(f[i], &t) {
				left = append(left, f)
			}
		}
		if len(left) == 0 {
			if w := wanted(forms, i); w != "" {
				p.failAt(&t, fmt.Sprintf("syntax error: %s: %s, %s expected", c.Name, t.describe(), w), "")
			}
			p.failAt(&t, fmt.Sprintf("syntax error: %s, %q expected", t.describe(), ")"), fmt.Sprintf("%s takes no more arguments", c.Name))
		}
		c.Args = append(c.Args, p.coreArg(left[0][i]))
		forms = left
		if !p.peek().is(")") {
			longer := false
			for _, f := range forms {
				longer = longer || len(f) > i+1
			}
			if !longer {
				p.failAt(p.peek(), fmt.Sprintf("syntax error: %s, %q expected", p.peek().describe(), ")"), "")
			}
			p.expect(",", "")
		}
	}
}

func wanted(forms []string, i int) string {
	s := ""
	for _, f := range forms {
		if len(f) > i {
			if s != "" && s != argName(f[i]) {
				return s + " or " + argName(f[i])
			}
			s = argName(f[i])
		}
	}
	return s
}

// fits says whether a token can begin an argument of the kind.
func (p *parser) fits(letter byte, t *token) bool {
	host := t.kind == tID || t.kind == tNumID || t.kind == tStr || t.kind == tIP6 || t.is("[") || t.kind == tNum && p.peekN(1).is(".")
	switch letter {
	case 's':
		return t.kind == tStr
	case 'n':
		return t.kind == tNum
	case 'i':
		return t.kind == tNum || t.is("-")
	case 'h':
		return host || t.kind == tURI && t.text == "uri:host"
	case 'p':
		return t.kind == tNum || t.kind == tURI && t.text == "uri:port"
	case 'f':
		return t.kind == tNum || t.kind == tID || t.kind == tStr
	case 'k':
		return host || t.is("*") || t.is("(")
	case 'w':
		_, ok := protoWord(t.text)
		return t.kind == tID && ok
	case 'a': // a bare $name is an attribute if no variable has its name
		return t.kind == tAvp || t.kind == tStr || t.kind == tPV && strings.IndexByte(t.text, '(') < 0
	}
	return true
}

func (p *parser) coreArg(letter byte) Expr {
	t := *p.peek()
	switch letter {
	case 's', 'a':
		return p.unary()
	case 'n', 'i':
		v := p.constValue("")
		if v.Kind == StrValue {
			return &StrLit{Pos: v.Pos, Val: v.Str}
		}
		return &IntLit{Pos: v.Pos, Val: v.Int}
	case 'h', 'p', 'f':
		switch t.kind {
		case tURI:
			p.take()
			return &URIPart{Pos: t.pos, Port: t.text == "uri:port"}
		case tStr:
			if letter == 'f' { // a flag's name: "6" is no number
				p.take()
				return &Addr{Pos: t.pos, Text: t.text}
			}
			return p.unary()
		}
		if letter == 'h' {
			return &Addr{Pos: t.pos, Text: p.host()}
		}
		p.take()
		if t.kind == tNum {
			return &IntLit{Pos: t.pos, Val: t.num}
		}
		return &Addr{Pos: t.pos, Text: t.text}
	case 'w':
		p.take()
		return &Addr{Pos: t.pos, Text: t.text}
	case 'k':
		id := p.socketID(false)
		return &Addr{Pos: t.pos, Text: id.String()}
	case 'r':
		if t.kind == tID && !t.keyword() && p.peekN(1).is(")") {
			p.take()
			return &Addr{Pos: t.pos, Text: t.text}
		}
	}
	return p.expr(0)
}

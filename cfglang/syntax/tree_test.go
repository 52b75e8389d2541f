package syntax

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

// sexpr prints a tree in one line, without positions.
func sexpr(n any) string {
	switch n := n.(type) {
	case nil:
		return "nil"
	case *IntLit:
		return fmt.Sprint(n.Val)
	case *StrLit:
		return fmt.Sprintf("%q", n.Val)
	case *PV:
		return n.Text
	case *Avp:
		return "avp:" + n.Text
	case *Select:
		return n.Text
	case *Addr:
		return "<" + n.Text + ">"
	case *Cond:
		return n.Name
	case *URIPart:
		if n.Port {
			return "uri:port"
		}
		return "uri:host"
	case *Unary:
		return "(" + n.Op + " " + sexpr(n.X) + ")"
	case *Binary:
		return "(" + n.Op + " " + sexpr(n.L) + " " + sexpr(n.R) + ")"
	case *SelVal:
		return "(selval " + sexpr(n.Cond) + " " + sexpr(n.Then) + " " + sexpr(n.Else) + ")"
	case *BlockExpr:
		return sexpr(n.Block)
	case *ParenAssign:
		return "(" + sexpr(n.Assign) + ")"
	case *Call:
		s := n.Name
		if !n.Parens {
			return s
		}
		var args []string
		for _, a := range n.Args {
			args = append(args, sexpr(a))
		}
		return s + "(" + strings.Join(args, ", ") + ")"
	case *CallStmt:
		return sexpr(n.Call)
	case *AssignStmt:
		return sexpr(n.L) + " = " + sexpr(n.R)
	case *Ctl:
		s := []string{"return", "exit", "drop", "break"}[n.Kind]
		if n.Val != nil {
			s += " " + sexpr(n.Val)
		}
		return s
	case *If:
		s := "if " + sexpr(n.Cond) + " " + sexpr(n.Then)
		if n.Else != nil {
			s += " else " + sexpr(n.Else)
		}
		return s
	case *While:
		return "while " + sexpr(n.Cond) + " " + sexpr(n.Body)
	case *Switch:
		s := "switch " + sexpr(n.Value) + " {"
		for _, c := range n.Cases {
			switch {
			case c.Default:
				s += " default:"
			case c.Regex:
				s += " case/ " + sexpr(c.Label) + ":"
			default:
				s += " case " + sexpr(c.Label) + ":"
			}
			for _, b := range c.Body {
				s += " " + sexpr(b) + ";"
			}
		}
		return s + " }"
	case *Empty:
		return "empty"
	case *Block:
		s := "{"
		for _, b := range n.Stmts {
			s += " " + sexpr(b) + ";"
		}
		return s + " }"
	}
	return fmt.Sprintf("?%T", n)
}

func TestStatements(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"or below and", `$var(x) = 1 or 2 and 3;`, `$var(x) = (|| 1 (&& 2 3))`},
		{"bits below comparison", `$var(x) = $a & $b == 1;`, `$var(x) = (& $a (== $b 1))`},
		{"bit levels", `$var(x) = 1 | 2 & 3 ^ 4 << 5 >> 6;`, `$var(x) = (| 1 (& 2 (^ 3 (<< 4 (>> 5 6)))))`},
		{"equality below relation", `$var(x) = $a == $b > 1;`, `$var(x) = (== $a (> $b 1))`},
		{"left to right", `$var(x) = 1 - 2 - 3;`, `$var(x) = (- (- 1 2) 3)`},
		{"mod", `$var(x) = 1 + 2 * 3 mod 4;`, `$var(x) = (+ 1 (mod (* 2 3) 4))`},
		{"not binds tightly", `$var(x) = !$x == 1;`, `$var(x) = (== (! $x) 1)`},
		{"not word", `$var(x) = not $x and $y;`, `$var(x) = (&& (! $x) $y)`},
		{"defined", `$var(x) = !defined $x;`, `$var(x) = (! (defined $x))`},
		{"cast", `$var(x) = (int)"5" + 1;`, `$var(x) = (+ ((int) "5") 1)`},
		{"minus number", `$var(x) = 3 - -5;`, `$var(x) = (- 3 -5)`},
		{"minus variable", `$var(x) = -$y;`, `$var(x) = (- $y)`},
		{"selval", `$var(x) = selval($a > 1, "y", "n");`, `$var(x) = (selval (> $a 1) "y" "n")`},
		{"numbers", `$var(x) = 0x1F + 017 + 101b + yes + INET6;`, `$var(x) = (+ (+ (+ (+ 31 15) 5) 1) 10)`},
		{"escapes", `$var(x) = "\x41\102\1\q\"\\\n";`, `$var(x) = "AB\\1\\q\"\\\n"`},
		{"raw", `$var(x) = 'a\n"';`, `$var(x) = "a\\n\""`},
		{"concatenation", "$var(x) = \"a\" \n \"b\";", `$var(x) = "ab"`},
		{"line joined in a string", "$var(x) = \"a\\\nb\";", `$var(x) = "ab"`},
		{"select", `$var(x) = @msg.header["X-Y"][1].params['a b'];`, `$var(x) = @msg.header["X-Y"][1].params['a b']`},
		{"attribute", `%x[] = %y[];`, `avp:%x[] = avp:%y[]`},
		{"attribute of from", `$f.name = 1;`, `avp:$f.name = 1`},
		{"balanced", `$(avp(x)[$(var(i))]) = $(ru{s.substr,0,(1)});`, `$(avp(x)[$(var(i))]) = $(ru{s.substr,0,(1)})`},
		{"return code variable", `$var(x) = $?;`, `$var(x) = $?`},
		{"assignment as value", `if (($x = 1)) exit;`, `if ($x = 1) exit`},
		{"block as value", `$var(x) = { exit; };`, `$var(x) = { exit; }`},
		{"if without parentheses", `if $x == 1 && $y { exit; } else if $z drop; else return 1;`, `if (&& (== $x 1) $y) { exit; } else if $z drop else return 1`},
		{"dangling else", `if (1) if (2) exit; else drop;`, `if 1 if 2 exit else drop`},
		{"while", `while($x<3) $x = $x + 1;`, `while (< $x 3) $x = (+ $x 1)`},
		{"switch", `switch($x) { case "a": case /"^b": exit; break; default: drop; }`, `switch $x { case "a": case/ "^b": exit; break; default: drop; }`},
		{"control values", `{return;}`[1:8], `return`},
		{"return nothing", `return();`, `return`},
		{"return expression", `return (1) + 2;`, `return (+ 1 2)`},
		{"method word", `if (method==INVITE || method=~"^A") exit;`, `if (|| (== method <INVITE>) (=~ method "^A")) exit`},
		{"not condition", `if (!uri == myself && !src_ip == 10.0.0.0/8) exit;`, `if (&& (! (== uri myself)) (! (== src_ip <10.0.0.0/8>))) exit`},
		{"myself first", `if (myself == uri) exit;`, `if (== myself uri) exit`},
		{"addresses", `if (src_ip==[2001:db8::1] or dst_ip==2001:db8::/32 or src_ip!=10.0.0.0/255.0.0.0 or src_ip==a-b.example.com) exit;`,
			`if (|| (|| (|| (== src_ip <2001:db8::1>) (== dst_ip <2001:db8::/32>)) (!= src_ip <10.0.0.0/255.0.0.0>)) (== src_ip <a-b.example.com>)) exit`},
		{"proto and af", `if (proto==UDP and af==inet and msg:len>=1000) exit;`, `if (&& (&& (== proto <UDP>) (== af 2)) (>= msg:len 1000)) exit`},
		{"forward", `forward(uri:host, uri:port);`, `forward(uri:host, uri:port)`},
		{"forward to a name", `forward(sip-1.example.com, 5070);`, `forward(<sip-1.example.com>, 5070)`},
		{"socket", `force_send_socket(tls:[::1]:5061);`, `force_send_socket(<tls:[::1]:5061>)`},
		{"flag name", `setflag(FLT_ACC);`, `setflag(<FLT_ACC>)`},
		{"no parentheses", `force_rport;`, `force_rport`},
		{"route name", `route(RELAY);`, `route(<RELAY>)`},
		{"route expression", `route("A" + $var(b));`, `route((+ "A" $var(b)))`},
		{"nested comment", `/* a /* b */ c */ exit;`, `exit`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d diag.List
			f := ParseText("t.cfg", []byte("route {\n"+c.in+"\n}"), Options{}, &d)
			if d.HasErrors() {
				t.Fatalf("errors:\n%s", written(&d))
			}
			body := f.Items[0].(*Route).Body
			if len(body.Stmts) != 1 {
				t.Fatalf("%d statements: %s", len(body.Stmts), sexpr(body))
			}
			if got := sexpr(body.Stmts[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func written(d *diag.List) string {
	var b strings.Builder
	if err := d.Write(&b, false); err != nil {
		return err.Error()
	}
	return b.String()
}

// dump prints a whole tree by reflection, one field a line, with the positions if pos is set.
func dump(v any, pos bool) string {
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(v), 0, pos)
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value, depth int, pos bool) {
	if !v.IsValid() {
		b.WriteString("nil\n")
		return
	}
	if p, ok := v.Interface().(Pos); ok {
		if pos {
			b.WriteString(placeText(p))
		}
		b.WriteByte('\n')
		return
	}
	indent := strings.Repeat(" ", depth)
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil\n")
			return
		}
		dumpValue(b, v.Elem(), depth, pos)
	case reflect.Struct:
		b.WriteString(v.Type().Name() + "\n")
		for i := range v.NumField() {
			if v.Type().Field(i).Type == reflect.TypeFor[Pos]() && !pos {
				continue
			}
			b.WriteString(indent + " " + v.Type().Field(i).Name + ": ")
			dumpValue(b, v.Field(i), depth+1, pos)
		}
	case reflect.Slice:
		b.WriteString("\n")
		for i := range v.Len() {
			b.WriteString(indent + " - ")
			dumpValue(b, v.Index(i), depth+1, pos)
		}
	default:
		fmt.Fprintf(b, "%#v\n", v.Interface())
	}
}

func placeText(p Pos) string {
	s := p.String()
	if p.Def != nil {
		s += " def " + placeText(*p.Def)
	}
	if p.Incl != nil {
		s += " in " + placeText(*p.Incl)
	}
	return s
}

func TestItems(t *testing.T) {
	const in = `
listen = udp:10.0.0.1:5060 tls:[2001:db8::1]:5061 advertise sip.example.com:5070 name "out" virtual
listen = sctp:(10.0.0.1, 10.0.0.2) *:eth0:*
alias = a-1.example.com 10.0.0.9:5060 debug = -1
tcp_source_ipv4 = 10.0.0.3; user = "x" "y"
gw.host[2].x = 3
`
	var d diag.List
	ParseText("t.cfg", []byte(in), Options{}, &d)
	if !d.HasErrors() {
		t.Error("gw.host[2].x is taken")
	}
	var e diag.List
	f := ParseText("t.cfg", []byte(strings.Replace(in, "gw.host[2].x = 3", `gw[2].host = "a" desc "gateway"
flags a, b:5; avpflags c
coreparam["iuid"] = "q"
socket = { bind = udp:10.0.0.1:5060-5062; name = "s" workers = 2 }
modparam("tm|sl", "x", -7) loadmodule "tm.so"
event_route[htable:expired:a-b_c] { ; }
onreply_route[0] { ; } onreply_route[A] { ; } route["A-B"] { ; }`, 1)), Options{ModuleDefines: true}, &e)
	if e.HasErrors() {
		t.Fatal(written(&e))
	}
	var got []string
	for _, it := range f.Items {
		switch it := it.(type) {
		case *Param:
			s := it.Name + it.Index
			for _, id := range it.Sockets {
				s += " " + id.String()
			}
			if it.Adv != nil {
				s += " adv " + it.Adv.String()
			}
			s += fmt.Sprint(" ", it.SockName, it.Virtual, " ", it.Value.Kind, it.Value.Int, it.Value.Str)
			got = append(got, s)
		case *GroupVar:
			got = append(got, fmt.Sprint(it.Group, it.ID, it.HasID, it.Name, it.Value.Str, it.Desc))
		case *Flags:
			got = append(got, fmt.Sprint(it.AVP, it.Names, it.Bits))
		case *SocketBlock:
			s := "socket"
			for _, a := range it.Attrs {
				s += " " + a.Name
				if a.Sock != nil {
					s += "=" + a.Sock.String()
				}
			}
			got = append(got, s)
		case *ModParam:
			got = append(got, fmt.Sprint(it.Module, it.Name, it.Value.Int))
		case *LoadModule:
			got = append(got, it.Name)
		case *Route:
			got = append(got, fmt.Sprint(it.Kind, it.Name))
		}
	}
	want := []string{
		`listen udp:10.0.0.1:5060 tls:[2001:db8::1]:5061 adv sip.example.com:5070 outtrue 0 0`,
		`listen sctp:(10.0.0.1,10.0.0.2) eth0 false 0 0`,
		`alias a-1.example.com 10.0.0.9:5060 false 0 0`,
		`debug false 0 -1`,
		`tcp_source_ipv4 false 2 010.0.0.3`,
		`user false 1 0xy`,
		`gw2 truehostagateway`,
		`false [a b] [-1 5]`,
		`true [c] [-1]`,
		`coreparamiuid false 1 0q`,
		`socket bind=udp:10.0.0.1:5060-5062 name workers`,
		`tm|slx-7`,
		`tm.so`,
		`6htable:expired:a-b_c`,
		`2`,
		`3A`,
		`0A-B`,
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
	if n := len(f.Defines); n != 1 || f.Defines[0].Name != "MOD_tm" {
		t.Errorf("defines %v", f.Defines)
	}
}

package pv

import "kahea/cfglang/route"

func constVars() []route.Var {
	var l []route.Var
	for _, x := range []struct{ name, val, doc string }{
		{"En", "\n", "line feed"}, {"Er", "\r", "carriage return"}, {"Et", "\t", "tabulator"}, {"Es", " ", "space"}, {"Ec", ",", "comma"},
		{"Eq", `"`, "double quote"}, {"Ek", "'", "single quote"}, {"Ei", ":", "colon"}, {"Ej", ";", "semicolon"}, {"Eb", `\`, "backslash"}, {"Ev", "`", "backtick"},
	} {
		v := route.Str([]byte(x.val))
		l = append(l, get(x.name, x.doc, func(*route.Ctx) route.Value { return v }))
	}
	one := route.Int(1)
	l = append(l, get("true", "1", func(*route.Ctx) route.Value { return one }))
	k := map[string]route.Getter{}
	for name, n := range map[string]int64{"IPv4": 2, "IP4": 2, "INET": 2, "IPv6": 10, "IP6": 10, "INET6": 10, "UDP": 1, "TCP": 2, "TLS": 3, "SCTP": 4, "WS": 5, "WSS": 6} {
		v := route.Int(n)
		k[name] = func(*route.Ctx) route.Value { return v }
	}
	return append(l, choice("K", "numbers of address families and protocols", k))
}

package main

import (
	"fmt"
	"slices"

	"kahea/modules"
	"kahea/modules/lib/rpc"
)

// appendText writes a reply as kamcmd does: a value a line, structs in braces, members indented by tabs.
func appendText(b []byte, out []*modules.Node) []byte {
	for _, n := range out {
		b = append(appendValue(b, n, 0), '\n')
	}
	return b
}

func appendValue(b []byte, n *modules.Node, depth int) []byte {
	tabs := func(k int) {
		for range k {
			b = append(b, '\t')
		}
	}
	open, end := byte('{'), byte('}')
	switch n.Kind {
	case modules.KindInt:
		return fmt.Appendf(b, "%d", n.Int)
	case modules.KindDouble:
		return fmt.Appendf(b, "%f", n.Double)
	case modules.KindStr:
		return append(b, n.Str...)
	case modules.KindArray:
		open, end = '[', ']'
	}
	b = append(b, open, '\n')
	for i, m := range n.Members {
		tabs(depth + 1)
		if n.Kind == modules.KindStruct {
			b = append(append(b, n.Names[i]...), ": "...)
		}
		b = append(appendValue(b, m, depth+1), '\n')
	}
	tabs(depth)
	return append(b, end)
}

// appendJSON writes a reply as an array on one line. What binrpc sends as a struct with one name several times becomes one member with an array of the values.
func appendJSON(b []byte, out []*modules.Node) []byte {
	l := &modules.Node{Kind: modules.KindArray}
	for _, n := range out {
		l.Members = append(l.Members, fold(n))
	}
	return append(rpc.AppendJSON(b, l, false, 0), '\n')
}

// fold gives each member of a struct a name of its own.
func fold(n *modules.Node) *modules.Node {
	if n.Kind != modules.KindStruct && n.Kind != modules.KindArray {
		return n
	}
	f := &modules.Node{Kind: n.Kind}
	many := map[string]bool{}
	for i, m := range n.Members {
		m = fold(m)
		if n.Kind == modules.KindArray {
			f.Members = append(f.Members, m)
			continue
		}
		name := n.Names[i]
		at := slices.Index(f.Names, name)
		switch {
		case at < 0:
			f.Names, f.Members = append(f.Names, name), append(f.Members, m)
		case many[name]:
			f.Members[at].Members = append(f.Members[at].Members, m)
		default:
			many[name] = true
			f.Members[at] = &modules.Node{Kind: modules.KindArray, Members: []*modules.Node{f.Members[at], m}}
		}
	}
	return f
}

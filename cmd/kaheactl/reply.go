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

// appendJSON writes a reply as an array on one line. binrpc sends an array of structs as one struct with the members of all: where a name comes again, the next one begins.
// (One struct alone can not be told from an array of one.)
func appendJSON(b []byte, out []*modules.Node) []byte {
	l := &modules.Node{Kind: modules.KindArray}
	for _, n := range out {
		l.Members = append(l.Members, split(n))
	}
	return append(rpc.AppendJSON(b, l, false, 0), '\n')
}

// split undoes what binrpc does to arrays of structs.
func split(n *modules.Node) *modules.Node {
	l := &modules.Node{Kind: modules.KindArray}
	switch n.Kind {
	default:
		return n
	case modules.KindArray:
		for _, m := range n.Members {
			l.Members = append(l.Members, split(m))
		}
		return l
	case modules.KindStruct:
	}
	part := &modules.Node{Kind: modules.KindStruct}
	for i, m := range n.Members {
		if slices.Contains(part.Names, n.Names[i]) {
			l.Members = append(l.Members, part)
			part = &modules.Node{Kind: modules.KindStruct}
		}
		part.Names, part.Members = append(part.Names, n.Names[i]), append(part.Members, split(m))
	}
	if len(l.Members) == 0 {
		return part
	}
	l.Members = append(l.Members, part)
	return l
}

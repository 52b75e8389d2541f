package main

import (
	"regexp"
	"strconv"
	"strings"

	"kahea/modules"
)

// decimal is a number that is no whole one, as kamcmd's users write it.
var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// param is a parameter of the command line as kamcmd types it (a whole number, a double, a string, s: before what is a string in any case), except that a whole number
// which binrpc has no room for stays a string instead of becoming another number.
func param(s string) *modules.Node {
	if v, ok := strings.CutPrefix(s, "s:"); ok {
		return text(v)
	}
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return &modules.Node{Kind: modules.KindInt, Int: n}
	}
	if strings.Trim(s, "+-0123456789") != "" && decimal.MatchString(s) {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return &modules.Node{Kind: modules.KindDouble, Double: f}
		}
	}
	return text(s)
}

func text(s string) *modules.Node { return &modules.Node{Kind: modules.KindStr, Str: s} }

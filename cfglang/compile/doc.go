// Package compile turns the tree of package syntax into the closures of package route. Everything that can be known before the
// first message is resolved here: functions, variables, transformations, routes, constants, regular expressions, the types of
// operands. All errors of a configuration are reported, each at its place; a program is only returned when there is none.
//
// Semantics are those of Kamailio's core cookbook. Expressions carry a static type (integer, string, or dynamic for what only a variable
// knows), and each kind compiles to a closure for the type in which its value is asked for, so that no conversion happens that
// the script does not need.
package compile

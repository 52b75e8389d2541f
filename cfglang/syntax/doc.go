// Package syntax reads the configuration language: preprocessor, lexer, parser, tree.
//
// As in Kamailio the preprocessor works inside the lexer: directives take effect where they stand, a define is replaced
// when the lexer meets its name as a bare word, and an include pushes a file onto the stack of inputs. Parse does it in one pass.
// Preprocess runs the same lexer and writes down the text that it read, after includes and conditional parts, with
// marker lines (#!kahea:...) that say where each part came from; ParseText reads such text and gives the same tree with the same
// positions. To Kamailio, and to a reader, a marker is a comment.
//
// The package knows the grammar and the core's commands, not the core's parameters, modules, or variables: names and
// types of parameters, and whether a function exists, are checked by others with the tree in hand. A bare word where a name is meant
// (route(NAME), setflag(NAME), method==INVITE) is an Addr node; the text of $..., @... and % words is kept as written.
//
// All functions are pure but for reading files; values of this package are not shared between goroutines while they are made.
package syntax

// Package modules is what a loadable module of kahea is: how it describes itself, how it lives, what it may ask for.
//
// A module is a folder below this one, named as in Kamailio, and registers a constructor from an init function; `loadmodule "tm.so"`
// makes an instance. It describes itself once, in the table that Exports returns: script functions, parameters, pseudo-variables,
// transformations, RPC commands, statistics, processes. Compiler, modparam, RPC help and documentation read that table.
//
// Because a child process is not a copy of main but a fresh one, the life of a module has one step more than in C:
//
//	step             where                          what it may do
//	New              every process                  defaults; no side effects
//	(parameters)     every process                  values from modparam, checked by the table
//	Setup            every process                  derive private state, find other modules' APIs, register hooks and timers; no side effects
//	Init             main only                      create roots in shared memory, open control sockets, ask for processes
//	InitWorker       every child, main with ranks   find roots, open connections
//	Close            every process, reverse order   give back what was opened
//
// State lives in the instance, or in shared memory behind a Ref; never in a package variable. All hooks, functions, variables and
// timers run on the process's loop; RPC commands run on the loop of the process that serves them.
package modules

// Package core is what the configuration language has without any module: the global parameters (one table), the core commands (one
// table), the core's pseudo-variables (one table), and the run-time configuration variables that RPC can change.
package core

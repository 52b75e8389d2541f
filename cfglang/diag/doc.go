// Package diag holds what the configuration language has to say about a configuration: positions, diagnostics, and the
// writer that shows them with the source line and a caret. It knows nothing of the language itself.
package diag

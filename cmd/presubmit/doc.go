// Package presubmit holds rules over the tree, as tests: who may import whom, where system calls may be made, file names that say nothing,
// README and table of a module saying the same.
package presubmit

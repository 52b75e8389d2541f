//go:build !kaheaform

package tm

// carryForm is what Export writes (carry.go). A build with the tag kaheaform has another one: a binary to which nothing can be carried over.
const carryForm = "tm/1"

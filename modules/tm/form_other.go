//go:build kaheaform

package tm

const carryForm = "tm/other"

// Package rpc is what the control modules share: how a call is run, and how requests and replies look in binrpc (module ctl, kamcmd) and
// in JSON-RPC 2.0 (module jsonrpcs). Both directions are here, so that tests and tools can speak them too.
package rpc

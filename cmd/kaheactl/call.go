package main

import (
	"time"

	"kahea/modules"
	"kahea/modules/lib/rpc"
)

// call runs a command; its error is as rpc.Ask's.
func call(server string, timeout time.Duration, method string, params []*modules.Node) ([]*modules.Node, error) {
	network, address, err := parseAddress(server)
	if err != nil {
		return nil, err
	}
	return rpc.Ask(network, address, timeout, method, params)
}

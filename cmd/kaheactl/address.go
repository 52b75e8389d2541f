package main

import (
	"fmt"
	"net"
	"strings"
)

const (
	defaultAddress = "unixs:/run/kamailio/kamailio_ctl" // module ctl's
	defaultPort    = "2049"
)

// parseAddress reads an address as kamcmd's -s has it: [PROTOCOL:]PATH or HOST[:PORT]. It returns what net.Dial takes.
func parseAddress(s string) (network, address string, err error) {
	proto, rest, ok := strings.Cut(s, ":")
	if ok && proto == "unixd" {
		return "", "", fmt.Errorf("address %q: datagram sockets of unix need one of our own for the answer, which is not there yet: use unixs, tcp or udp", s)
	}
	switch {
	case ok && (proto == "unixs" || proto == "unix"):
		network, address = "unix", rest
	case ok && (proto == "tcp" || proto == "udp"):
		network, address = proto, rest
	case strings.Contains(s, "/"):
		network, address = "unix", s
	default:
		network, address = "udp", s
	}
	if address == "" {
		return "", "", fmt.Errorf("address %q: nothing behind the protocol", s)
	}
	if network == "unix" {
		return network, address, nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"), defaultPort)
	}
	return network, address, nil
}

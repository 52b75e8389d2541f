// Command parity runs the same cases against Kamailio and kahea and compares every byte that they send.
//
// A file of testdata is a configuration with its cases (group.go; testdata/README.md has the language). For each file both servers are
// started, one after the other, on the same ports with the same test sockets (peer.go, server.go); the cases run in order (run.go). What
// arrives at the test sockets is recorded with the kernel's time and compared case by case (compare.go), order included. What cannot be
// equal is made equal first: the server's name and version, the id of a TCP connection in Via. To tags and Via branches are not random
// in either server: they must be equal.
//
// A difference is a failure unless docs/differences.md has a line with parity:FILE/CASE; such a line without a difference fails too.
//
// Nothing waits for time to pass unless a case is about time. That a server stays silent is known from a probe: an OPTIONS that it
// answers after it has handled what came before (each server has one worker a socket), and a datagram to each test socket behind it.
package main

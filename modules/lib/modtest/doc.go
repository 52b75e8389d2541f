// Package modtest runs a configuration in a test: modules, core and script in one process without sockets, with a clock that the test
// moves. A test package imports the modules that its configuration loads; then
//
//	s := modtest.Start(t, `loadmodule "pv.so" ... request_route { ... }`)
//	s.Receive(modtest.Request("INVITE", "sip:bob@example.com"))
//	s.Sent() // what left, in order
//	s.Log()  // what was logged: "ERROR: <script>: text\n"
//
// The messages arrive at udp:127.0.0.1:5060 from 127.0.0.1:5070 unless the configuration has listen lines or the test uses ReceiveFrom.
package modtest

// Package tune reads the TOML overlay that stands beside a native configuration (`--tune FILE`, or the configuration's name with .toml).
//
//	[core]                    # global parameters by their names
//	children = 8
//
//	[[listen]]                # a socket more, as -l and listen= add one
//	socket = "udp:10.0.0.1:5060"
//	advertise = "192.0.2.1:5060"
//	name = "edge"
//	workers = 4
//
//	[modules.usrloc]          # module parameters; a list sets one that may be repeated several times
//	hash_size = 12
//
// What wins: the command line, then the overlay, then the configuration. Parse gives data with positions; whether a parameter exists and takes the value is
// for those who have the tables.
package tune

package procmgr

// Ranks of Kamailio.
const (
	RankMain          = 0
	RankTimer         = -1
	RankRPC           = -2
	RankTCPMain       = -4
	RankUnixSock      = -5
	RankAttendant     = -10
	RankPostChildInit = -126
	RankInit          = -127
	RankNoChildInit   = -128
	RankSIPInit       = 1
	RankSIPRPC        = 127
)

// Proc describes one process to be started. Order in the manager's list is the order of core.psx.
type Proc struct {
	Desc string // "udp receiver child=0 sock=127.0.0.1:5060"; at most 127 bytes are kept in the table
	Rank int
	Kind string // names the entry point in cmd/kahea: "udp", "slow timer", "timer", "secondary timer", "ctl", "tcp", "tcpmain", ...
	Arg  int    // meaning by Kind (listener index, worker index)
	Arg2 int
	Fds  []int // further descriptors to inherit; owned by the manager
}

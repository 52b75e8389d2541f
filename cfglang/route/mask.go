package route

// Mask is a set of block types: what a block is, and where a function may be used.
type Mask uint16

const (
	InRequest       Mask = 1
	InFailure       Mask = 2
	InOnReply       Mask = 4 // tm's onreply_route[NAME]
	InBranch        Mask = 8
	InOnSend        Mask = 16
	InError         Mask = 32
	InLocal         Mask = 64
	InReply         Mask = 128 // the core's reply_route
	InBranchFailure Mask = 256
	InEvent         Mask = 512

	AnyRoute = InRequest | InFailure | InOnReply | InBranch | InOnSend | InError | InLocal | InReply | InBranchFailure | InEvent
	// AnyReply is both reply routes ("O" in the module tables).
	AnyReply = InOnReply | InReply
)

var maskNames = []struct {
	m    Mask
	name string
}{
	{InRequest, "request_route"}, {InFailure, "failure_route"}, {InOnReply, "onreply_route"}, {InBranch, "branch_route"},
	{InOnSend, "onsend_route"}, {InError, "error_route"}, {InLocal, "local_route"}, {InReply, "reply_route"},
	{InBranchFailure, "branch_failure_route"}, {InEvent, "event_route"},
}

// String names the types of m, separated by "|".
func (m Mask) String() string {
	if m == AnyRoute {
		return "any"
	}
	s := ""
	for _, n := range maskNames {
		if m&n.m != 0 {
			if s != "" {
				s += "|"
			}
			s += n.name
		}
	}
	return s
}

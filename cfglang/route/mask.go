package route

// Mask is a set of block types (core.md 5): what a block is, and where a function may be used.
type Mask uint16

const (
	Request       Mask = 1
	Failure       Mask = 2
	OnReply       Mask = 4 // tm's onreply_route[NAME]
	Branch        Mask = 8
	OnSend        Mask = 16
	ErrorRoute    Mask = 32
	Local         Mask = 64
	CoreReply     Mask = 128
	BranchFailure Mask = 256
	OnEvent       Mask = 512

	AnyRoute Mask = Request | Failure | OnReply | Branch | OnSend | ErrorRoute | Local | CoreReply | BranchFailure | OnEvent
	// AnyReply is both reply routes ("O" in the module tables).
	AnyReply Mask = OnReply | CoreReply
)

var maskNames = []struct {
	m    Mask
	name string
}{
	{Request, "request_route"}, {Failure, "failure_route"}, {OnReply, "onreply_route"}, {Branch, "branch_route"},
	{OnSend, "onsend_route"}, {ErrorRoute, "error_route"}, {Local, "local_route"}, {CoreReply, "reply_route"},
	{BranchFailure, "branch_failure_route"}, {OnEvent, "event_route"},
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

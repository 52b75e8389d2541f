package core

// sipParams are the parameters of SIP and the script.
func (c *Config) sipParams() []Param {
	return []Param{
		{Name: "server_signature", Type: Bool, Bool: &c.ServerSignature, Doc: "Server line in local replies"},
		{Name: "server_header", Type: String, Str: &c.ServerHeader, Doc: "that line, whole"},
		{Name: "user_agent_header", Type: String, Str: &c.UserAgentHeader, Doc: "User-Agent line of local requests, whole"},
		{Name: "sip_warning", Type: Bool, Bool: &c.SIPWarning, Doc: "Warning line in local replies"},
		{Name: "sip_parser_mode", Type: Integer, Max: 1, Int: &c.ParserMode, Doc: "1 strict, 0 tolerates a second From, To, Call-ID, CSeq, Content-Length"},
		{Name: "force_rport", Aliases: []string{"add_rport"}, Type: Bool, Runtime: "core", Bool: &c.ForceRPort, Doc: "as force_rport() on every request"},
		{Name: "local_rport", Type: Bool, Bool: &c.LocalRPort, Doc: ";rport in our own Via"},
		{Name: "check_via", Type: Bool, Bool: &c.CheckVia, Doc: "drop replies whose top Via is not ours"},
		{Name: "reply_to_via", Type: Bool, Bool: &c.ReplyToVia, Doc: "local replies go to the Via's address"},
		{Name: "onsend_route_reply", Type: Bool, Bool: &c.OnSendReply, Doc: "run onsend_route for replies too"},
		{Name: "phone2tel", Type: Bool, Bool: &c.Phone2Tel, Doc: "a SIP URI with user=phone counts as tel"},
		{Name: "http_reply_parse", Aliases: []string{"http_reply_hack"}, Type: Bool, Bool: &c.HTTPReplies, Doc: "a message that begins with HTTP/1.0 or HTTP/1.1 and a status is a reply; no"},
		{Name: "stats_name_separator", Fixed: true, Type: String, Str: &c.StatsSep, Doc: "between the parts of a statistic's name, such as a table's; _"},
		{Name: "return_mode", Type: Number, Max: 1, Int: &c.ReturnMode, Doc: "0: a route or function in an expression is 0 or 1, true when it returned more than 0; 1: it is what it returned, true unless 0"},
		{Name: "received_route_mode", Type: Number, Max: 1, Int: &c.ReceivedMode, Doc: "1: event_route[core:msg-received] runs for each message before it is parsed; 0"},
		{Name: "max_while_loops", Type: Number, Int: &c.MaxWhileLoops, Runtime: "core", Doc: "turns of a while, 100; 0: any number"},
		{Name: "max_recursive_level", Type: Number, Min: 1, Max: 100000, Int: &c.MaxRecursive, Doc: "nested blocks, 256"},
		{Name: "max_branches", Type: Number, Min: 1, Max: 32, Int: &c.MaxBranches, Doc: "branches of a request, 12"},
	}
}

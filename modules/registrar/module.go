// Package registrar processes REGISTER (RFC 3261 section 10) and finds where a user can be reached: save(), lookup() and what belongs to
// them, on module usrloc's tables.
package registrar

import (
	"errors"
	"fmt"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/usrloc"
	"kahea/shm"
)

func init() {
	modules.Register("registrar", func() modules.Module {
		return &mod{defaultExpires: 3600, minExpires: 60, defaultQ: -1, appendBranches: 1, pathMode: 2, gruu: 1, contactMax: 512, receivedParam: "received", sockFlag: -1}
	})
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)

	_ modules.WorkerIniter = (*mod)(nil)
)

type mod struct {
	defaultExpires, minExpires, maxExpires int // s
	defaultQ                               int // thousandths
	appendBranches, caseSensitive          int
	maxContacts, retryAfter                int
	methodFiltering                        int
	usePath, pathMode                      int
	gruu                                   int
	contactMax                             int // bytes
	receivedParam                          string
	receivedAVP                            string
	realmPrefix                            string
	defaultRange, expiresRange             int // percent
	minExpiresMode, useExpired             int
	pathUseReceived, pathCheckLocal        int
	sockFlag                               int
	sockHdrName                            string
	outboundMode, regIDMode, flowTimer     int // flowTimer: s
	lookupFilter                           int
	xavpCfg, xavpRcd                       string
	rcdMask                                int

	h        *modules.Host
	ul       usrloc.API
	sl       replier
	profiles []*profile // of reg_fetch_contacts
	received *route.PV
	cfgRoot  []byte // xavpCfg and xavpRcd
	rcdRoot  []byte
	exp      *profile // $ulc(exp=>...) there
	accepted shm.Counter
	rejected shm.Counter
}

// replier is what registrar needs of sl.
type replier interface {
	SendReply(c *route.Ctx, code int, reason []byte) int
}

func (m *mod) Exports() modules.Exports {
	const rf = route.InRequest | route.InFailure
	only := func(name string, def int) modules.Param {
		return modules.Param{Name: name, Type: modules.IntParam, Doc: "only the default is there yet", Func: func(v modules.Value) error {
			if v.Int != def {
				return fmt.Errorf("%d is not there yet, only %d", v.Int, def)
			}
			return nil
		}}
	}
	value := func(name string, p *int) modules.Stat {
		return modules.Stat{Group: "registrar", Name: name, Get: func() int64 { return int64(*p) }, Doc: "the parameter"}
	}
	return modules.Exports{
		Params: []modules.Param{
			{Name: "default_expires", Runtime: "default_expires", Int: &m.defaultExpires, Min: 1, Max: 1 << 30, Doc: "seconds of a contact without expires, 3600"},
			{Name: "min_expires", Runtime: "min_expires", Int: &m.minExpires, Max: 1 << 30, Doc: "shorter registrations are raised to this many seconds, 60; 0: none"},
			{Name: "max_expires", Runtime: "max_expires", Int: &m.maxExpires, Max: 1 << 30, Doc: "longer ones are cut to this; 0: any"},
			{Name: "default_q", Runtime: "default_q", Int: &m.defaultQ, Min: -1, Max: 1000, Doc: "q of a contact without one, in thousandths; -1: none"},
			{Name: "append_branches", Runtime: "append_branches", Int: &m.appendBranches, Max: 1, Doc: "1: lookup adds all contacts as branches; 0: the best only"},
			{Name: "case_sensitive", Runtime: "case_sensitive", Int: &m.caseSensitive, Max: 1, Doc: "1: addresses of record are compared as they are; 0: in lower case"},
			{Name: "max_contacts", Runtime: "max_contacts", Int: &m.maxContacts, Max: 1 << 20, Doc: "contacts of one address; 0: any"},
			{Name: "retry_after", Runtime: "retry_after", Int: &m.retryAfter, Max: 1 << 20, Doc: "seconds in the Retry-After of a 503; 0: no such line"},
			{Name: "method_filtering", Int: &m.methodFiltering, Max: 1, Doc: "1: lookup passes over contacts that do not allow the method"},
			{Name: "use_path", Int: &m.usePath, Max: 1, Doc: "1: Path (RFC 3327) is stored and followed"},
			{Name: "path_mode", Int: &m.pathMode, Max: 2, Doc: "0 store Path, do not answer it; 1 answer it if the client supports path; 2 refuse with 420 if it does not"},
			{Name: "gruu_enabled", Int: &m.gruu, Max: 1, Doc: "1: public and temporary GRUU for clients that support them"},
			{Name: "contact_max_size", Int: &m.contactMax, Min: 1, Max: 60000, Doc: "longest contact URI in bytes, 512"},
			{Name: "received_param", Str: &m.receivedParam, Doc: "name of the Contact parameter that holds the received URI"},
			{Name: "received_avp", Str: &m.receivedAVP, Doc: "variable that holds the URI a registration was received from"},
			{Name: "realm_prefix", Runtime: "realm_pref", Str: &m.realmPrefix, Doc: "prefix that is dropped from the domain of an address of record"},
			{Name: "default_expires_range", Runtime: "default_expires_range", Int: &m.defaultRange, Max: 100, Doc: "default_expires is shortened by up to this many percent, by chance; 0"},
			{Name: "expires_range", Runtime: "expires_range", Int: &m.expiresRange, Max: 100, Doc: "what the client asks for is shortened by up to this many percent; 0"},
			{Name: "min_expires_mode", Int: &m.minExpiresMode, Max: 1, Doc: "1: shorter registrations than min_expires are refused with 423"},
			{Name: "use_expired_contacts", Runtime: "use_expired_contacts", Int: &m.useExpired, Max: 1, Doc: "1: contacts count until they are removed, when they have expired too"},
			{Name: "path_use_received", Int: &m.pathUseReceived, Max: 1, Doc: "1: the received parameter of the first Path URI is where the contact was received from"},
			{Name: "path_check_local", Int: &m.pathCheckLocal, Max: 1, Doc: "1: lookup passes over a first Path entry that is this server"},
			only("sock_mode", 0),
			{Name: "sock_flag", Int: &m.sockFlag, Min: -1, Max: 31, Doc: "message flag of a REGISTER whose socket sock_hdr_name or xavp_cfg tells; -1: none"},
			{Name: "sock_hdr_name", Str: &m.sockHdrName, Doc: "header field with the socket that the request was received on, proto:address:port"},
			{Name: "outbound_mode", Int: &m.outboundMode, Max: outboundRequired, Doc: "outbound (RFC 5626): 0 not there, 1 there, 2 required"},
			{Name: "regid_mode", Int: &m.regIDMode, Max: 1, Doc: "1: reg-id counts also when the client does not support outbound"},
			{Name: "flow_timer", Int: &m.flowTimer, Max: 1 << 20, Doc: "seconds in the Flow-Timer of the answer, with outbound_mode; 0: no such line"},
			{Name: "lookup_filter_mode", Int: &m.lookupFilter, Max: filterBFlags | filterConn, Doc: "sum: 1 lookup wants a branch flag of $xavp(xavp_cfg=>rlf_bflags), 2 the contact's connection has to be there"},
			{Name: "xavp_cfg", Str: &m.xavpCfg, Doc: "$xavp with what the script says for one message: max_contacts, expires, q, socket, rlf_bflags, match_callid, match_received, match_contact"},
			{Name: "xavp_rcd", Str: &m.xavpRcd, Doc: "$xavp that lookup and registered fill for each contact: ruid, contact, expires, received, path"},
			{Name: "xavp_rcd_mask", Int: &m.rcdMask, Max: 31, Doc: "what is left out of it: 1 ruid, 2 contact, 4 expires, 8 received, 16 path"},
			{Name: "event_callback", Type: modules.StrParam, Doc: "there are no KEMI engines: an error", Func: func(modules.Value) error { return errKEMI }},
		},
		Funcs: []route.Func{
			{Name: "save", Args: "S|ss", From: rf | route.AnyReply, Compile: m.compileSave, Doc: "store the contacts of a REGISTER in a table and answer it: table, flags, address"},
			{Name: "lookup", Args: "S|s", From: rf, Compile: m.compileLookup(false), Doc: "put the contacts of the R-URI's address into the R-URI and branches: table, uri"},
			{Name: "lookup_to_dset", Args: "S|s", From: rf, Compile: m.compileLookup(true), Doc: "lookup that leaves the R-URI alone"},
			{Name: "registered", Args: "S|sii", From: route.AnyRoute, Compile: m.compileRegistered, Doc: "true if the address has a contact: table, uri, what of it must be as xavp_cfg says (1 match_callid, 2 match_received, 4 match_contact), action (1 give its attributes, 2 no xavp_rcd)"},
			{Name: "lookup_xavp", Args: "Ssss", From: route.AnyRoute, Compile: m.compileLookupXAVP, Doc: "lookup that fills $xavp only: table, uri, root for aor and count, root for each contact"},
			{Name: "reg_send_reply", From: rf, Run: m.sendReply, Doc: "send the reply that save() with flag 2 has not sent; with 16 its lines are there"},
			{Name: "add_sock_hdr", Args: "s", From: route.InRequest, Run: addSockHdr, Doc: "add a header of this name with the socket that the request came by"},
			{Name: "unregister", Args: "Ss|s", From: route.AnyRoute, Compile: m.compileUnregister, Doc: "remove the contacts of an address, or the one with the given ruid: table, uri, ruid"},
			{Name: "lookup_branches", Args: "S", From: rf, Compile: m.compileLookupBranches, Doc: "lookup for the R-URI and for each branch that is a URI of this server: table"},
			{Name: "reg_fetch_contacts", Args: "SsS", From: rf, Compile: m.compileFetch, Doc: "copy the contacts of an address, for $ulc(profile=>key): table, uri, profile"},
			{Name: "reg_free_contacts", Args: "S", From: rf, Compile: m.compileFree, Doc: "empty a profile"},
			{Name: "reg_from_user", Args: "Ssi", From: route.AnyRoute, Compile: m.compileFromUser, Doc: "the message came from a contact of the address: table, uri, mode (1 compare the port, 2 the protocol)"},
		},
		Vars: []route.Var{{Name: "ulc", Bind: m.bindContact, Doc: "$ulc(profile=>key): count, aor, domain, aorhash; and of contact [n]: addr, path, received, expires, callid, q, cseq, flags, cflags, user_agent, socket, modified, methods, ruid, instance, regid, conid, server_id"}},
		Stats: []modules.Stat{
			{Group: "registrar", Name: "accepted_regs", Counter: &m.accepted, Doc: "registrations answered with 200"},
			{Group: "registrar", Name: "rejected_regs", Counter: &m.rejected, Doc: "registrations refused"},
			value("max_expires", &m.maxExpires), value("max_contacts", &m.maxContacts), value("default_expire", &m.defaultExpires),
			value("default_expires_range", &m.defaultRange), value("expires_range", &m.expiresRange),
		},
		Events: []string{"usrloc:contact-expired"},
	}
}

var (
	errNoUsrloc = errors.New("module usrloc has to be loaded before registrar")
	errNoSL     = errors.New("module sl has to be loaded before registrar")
	errKEMI     = errors.New("there are no KEMI engines")
	errFlow     = errors.New("flow_timer needs outbound_mode 1 or 2")
	errSockFlag = errors.New("sock_flag needs sock_hdr_name or xavp_cfg")
)

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	if m.ul, _ = h.Find("usrloc").(usrloc.API); m.ul == nil {
		return errNoUsrloc
	}
	if m.sl, _ = h.Find("sl").(replier); m.sl == nil {
		return errNoSL
	}
	switch {
	case m.flowTimer > 0 && m.outboundMode == outboundNone:
		return errFlow
	case m.sockFlag >= 0 && m.sockHdrName == "" && m.xavpCfg == "":
		return errSockFlag
	}
	m.cfgRoot, m.rcdRoot = []byte(m.xavpCfg), []byte(m.xavpRcd)
	m.exp = m.profileOf("exp")
	if m.receivedAVP != "" {
		v, err := h.Env.ParsePV(m.receivedAVP)
		if err != nil {
			return fmt.Errorf("received_avp: %w", err)
		}
		m.received = v
	}
	return nil
}

// table is the first argument of the functions: the name of a usrloc table.
func (m *mod) table(a *route.Args) (*usrloc.Domain, error) {
	name, _ := a.ConstStr(0)
	if m.ul == nil {
		return nil, errNoUsrloc
	}
	return m.ul.Register(name)
}

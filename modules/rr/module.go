// Package rr is record routing (RFC 3261 16.12, 20.30, 20.34): it puts this server into the route set of a dialog and follows the route set
// of requests inside it.
//
// record_route() only notes that the request is to be recorded: the lines name the socket that the request leaves from, and two of them are needed
// when it leaves from another than it came in by, so they are made when the destination is known (route.Proc.RecordRoute).
package rr

import (
	"fmt"

	"kahea/cfglang/route"
	"kahea/modules"
)

func init() {
	modules.Register("rr", func() modules.Module { return &mod{appendFromTag: 1, enableDoubleRR: 1, socketWarning: 1} })
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
)

type mod struct {
	appendFromTag  int
	enableDoubleRR int
	enableFullLR   int
	addUsername    int
	socketWarning  int
	forceSocket    int
	ignoreSIPS     int
	socketNames    int
	looseMode      int
	userText       string
	user           *route.PV // of userText
	h              *modules.Host
}

func (m *mod) Exports() modules.Exports {
	const rbf = route.InRequest | route.InBranch | route.InFailure
	return modules.Exports{
		Params: []modules.Param{
			{Name: "append_fromtag", Int: &m.appendFromTag, Max: 1, Doc: "1: ;ftag= with the From tag in Record-Route (is_direction needs it)"},
			{Name: "enable_double_rr", Int: &m.enableDoubleRR, Max: 2, Doc: "1: two Record-Route lines when a request leaves from another socket than it came in by; 2: always two"},
			{Name: "enable_full_lr", Int: &m.enableFullLR, Max: 1, Doc: "1: write lr=on instead of lr"},
			{Name: "add_username", Int: &m.addUsername, Max: 1, Doc: "1: user of the R-URI in the Record-Route URI"},
			{Name: "enable_socket_mismatch_warning", Int: &m.socketWarning, Max: 1, Doc: "1: warn when the second of two own Route entries names no socket of ours"},
			{Name: "force_send_socket", Int: &m.forceSocket, Max: 1, Doc: "1: send from the socket that a single own Route entry names"},
			{Name: "ignore_sips", Int: &m.ignoreSIPS, Max: 1, Doc: "1: Record-Route is a sip URI when the R-URI is sips too"},
			{Name: "sockname_mode", Int: &m.socketNames, Max: 1, Doc: "1: Record-Route has the socket's name in the parameter sn, and Route finds the socket by it"},
			{Name: "loose_route_mode", Int: &m.looseMode, Max: looseNoStrict | looseNoFlow, Doc: "mode of loose_route(), as of the function of this name; 0"},
			{Name: "custom_user_avp", Str: &m.userText, Doc: "variable with the user of the Record-Route URI, with add_username; the R-URI's user while it is null"},
		},
		Funcs: []route.Func{
			{Name: "loose_route", From: route.InRequest, Run: m.looseRoute, Doc: "follow the Route set: drop own entries, set $du or the R-URI; true for requests inside a dialog"},
			{Name: "loose_route_preloaded", From: route.InRequest, Run: m.loosePreloaded, Doc: "the same, true only for an initial request with a preloaded route"},
			{Name: "loose_route_mode", Args: "i", From: route.InRequest, Run: m.looseRouteMode, Doc: "loose_route() with a mode, a sum: 1 the R-URI is not taken for that of a strict router, 2 flow tokens do not count"},
			{Name: "record_route", Args: "|s", From: rbf, Run: m.recordRoute, Doc: "stay in the dialog's route set; optional parameters"},
			{Name: "record_route_preset", Args: "s|s", From: rbf, Run: m.preset, Doc: "Record-Route with the given address;params, optionally a second one"},
			{Name: "record_route_advertised_address", Args: "s", From: rbf, Run: m.advertised, Doc: "Record-Route with the given host[:port], twice when the protocol changes"},
			{Name: "add_rr_param", Args: "s", From: rbf, Run: m.addParam, Doc: "append a parameter to our Record-Route, before or after record_route()"},
			{Name: "check_route_param", Args: "r", From: route.InRequest, Run: m.checkParam, Doc: "match the parameters of the own Route entry that was followed"},
			{Name: "is_direction", Args: "S", From: route.InRequest, Compile: m.isDirection, Doc: "downstream or upstream, by the ftag parameter"},
			{Name: "remove_record_route", From: route.InRequest | route.InFailure, Run: m.removeRecordRoute, Doc: "take back record_route()"},
			{Name: "rr_next_hop_route", From: route.AnyRoute, Run: m.nextHopRoute, Doc: "true if loose_route() left a further Route entry"},
		},
		Vars: vars(),
	}
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	h.RecordRoute = m.lines
	if m.userText != "" {
		v, err := h.Env.ParsePV(m.userText)
		if err != nil {
			return fmt.Errorf("custom_user_avp: %w", err)
		}
		m.user = v
	}
	return nil
}

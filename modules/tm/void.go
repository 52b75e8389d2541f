package tm

import "kahea/modules"

// voidParams are parameters that can mean nothing here, with the reason: they are accepted, and the start says so of each that is set.
func (m *mod) voidParams() (l []modules.Param) {
	const (
		noKEMI  = "there are no KEMI engines"
		noWrite = "t_write_req and t_write_unix are not there"
	)
	for _, x := range [...]struct {
		name string
		t    modules.ParamType
		why  string
	}{
		{"event_callback", modules.StrParam, noKEMI},
		{"event_callback_lres_sent", modules.StrParam, noKEMI},
		{"evcb_local_ack_sent", modules.StrParam, noKEMI},
		{"tw_append", modules.StrParam, noWrite},
		{"unix_tx_timeout", modules.IntParam, noWrite},
		{"exec_time_check", modules.IntParam, "a failure route holds its transaction, however long it takes"},
		{"reply_relay_mode", modules.IntParam, "a late 2xx always passes and never replaces the reply that was sent"},
		{"reparse_invite", modules.IntParam, "ACK and CANCEL are always made of the INVITE that has left"},
		{"reparse_on_dns_failover", modules.IntParam, "the next address always gets the request that has left, with a Via of its own"},
	} {
		l = append(l, modules.Param{Name: x.name, Type: x.t, Doc: "changes nothing: " + x.why, Func: func(modules.Value) error {
			m.void = append(m.void, x.name+" changes nothing: "+x.why)
			return nil
		}})
	}
	return l
}

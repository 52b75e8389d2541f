package tm_test

import (
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

// What a contact has beside its URI goes with it into the failure route.
func TestContactsKeepWhatTheyHave(t *testing.T) {
	for _, avp := range []string{"c", "s:c", "i:7", "$avp(c)"} {
		t.Run(avp, func(t *testing.T) {
			p := start(t, `loadmodule "tm.so"
modparam("tm", "contacts_avp", "`+avp+`")
`+strings.Replace(load, `loadmodule "tm.so"`, "", 1)+`
request_route {
	if (method == "ACK") { t_check_trans(); exit; }
	$ru = "sip:low@h"; $du = "sip:127.0.0.1:6002";
	append_branch("sip:high@h", "0.7"); $(branch(dst_uri)[0]) = "sip:127.0.0.1:6001"; $(branch(path)[0]) = "<sip:127.0.0.1:6001;lr>";
	t_load_contacts();
	t_next_contacts();
	t_on_failure("F");
	t_relay();
}
failure_route[F] { if (t_next_contacts()) t_relay(); }
`)
			p.ask("INVITE")
			p.want("alice 100, bob INVITE")
			if m := p.last["bob"]; !strings.HasPrefix(m, "INVITE sip:high@h ") || header(m, "Route") != "<sip:127.0.0.1:6001;lr>" {
				t.Errorf("bob got\n%s", m)
			}
			p.Carry()
			p.answer("bob", 486)
			p.want("bob ACK, carol INVITE")
			if m := p.last["carol"]; !strings.HasPrefix(m, "INVITE sip:low@h ") || header(m, "Route") != "" {
				t.Errorf("carol got\n%s", m)
			}
			p.answer("carol", 404)
			p.want("carol ACK, alice 404")
			p.ack()
			p.gone()
		})
	}
}

func TestContactsParameters(t *testing.T) {
	for _, tc := range []struct{ name, cfg, want string }{
		{"not set", "request_route { t_load_contacts(); }", "contacts_avp has to be set"},
		{"not set either", "request_route { t_next_contacts(); }", "contacts_avp has to be set"},
		{"no number", `modparam("tm", "contacts_avp", "i:x")` + "\nrequest_route { }", "want name"},
		{"empty", `modparam("tm", "contacts_avp", "")` + "\nrequest_route { }", "want name"},
		{"not closed", `modparam("tm", "contacts_avp", "$avp(x")` + "\nrequest_route { }", "want name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := modtest.Load(t, load+tc.cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// A script that has put something else into the attribute gets an error, not a contact.
func TestContactsAttributeOverwritten(t *testing.T) {
	p := start(t, load+`modparam("tm", "contacts_avp", "c")
request_route { $avp(c) = "nonsense"; t_next_contacts(); append_to_reply("X-RC: $rc\r\n"); sl_send_reply("202", "OK"); }`)
	p.ask("OPTIONS")
	if out := p.Sent(); len(out) != 1 || header(out[0].Text, "X-RC") != "-1" {
		t.Errorf("sent %+v", out)
	}
}

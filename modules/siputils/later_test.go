package siputils_test

import (
	"regexp"
	"strings"
	"testing"

	"kahea/modules/lib/modtest"
)

// What Kamailio 5.6.3 does not have, or does not survive.
func TestLaterFunctions(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"tel2sip2 orders parameters", `tel2sip2("tel:+1-2;z=1;ext=9;a=2;phone-context=X;isub=3", "h", "$var(o)"); xlog("$rc $var(o)\n");`, "1 sip:+12;isub=3;ext=9;phone-context=x;a=2;z=1@h;user=phone"},
		{"tel2sip2 of a SIP URI", `tel2sip2("sip:a@b", "h", "$var(o)"); xlog("$rc\n");`, "2"},
		{"contact has the parameter", `contact_param_check("x"); xlog("$rc\n");`, "1"},
		{"contact has it not", `contact_param_check("y"); xlog("$rc\n");`, "-1"},
		{"is SIP", `is_sip(); xlog("$rc\n");`, "1"},
		{"is not HTTP", `is_http(); xlog("$rc\n");`, "-1"},
		{"alias goes into the parameter", `contact_param_encode_alias("c", "sip:own"); msg_apply_changes(); xlog("$(ct{nameaddr.uri}{uri.param,c}{s.decode.base64urlt})\n");`,
			"sip:a@h;x=1;alias=127.0.0.1~5070~1"},
		{"vector is generated once", `sip_p_charging_vector("g"); $var(a) = $pcv(value); sip_p_charging_vector("f"); if ($var(a) == $pcv(value)) xlog("$(pcv(value){s.len}) $pcv(genaddr)\n");`,
			"32 127.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, "listen=udp:127.0.0.1:17200\n"+load+"loadmodule \"textopsx.so\"\nrequest_route { "+tc.script+" }")
			s.Receive(modtest.Request("INVITE", "sip:b@h", "Contact: <sip:a@h;x=1>"))
			if got := s.Log(); !strings.HasSuffix(got, "<script>: "+tc.want+"\n") {
				t.Errorf("log %q, want %s", got, tc.want)
			}
		})
	}
}

func TestChargingVectorOfARelayedRequest(t *testing.T) {
	made := regexp.MustCompile(`(?m)^P-Charging-Vector: icid-value=[0-9a-f]{32}; icid-generated-at=127\.0\.0\.1\r$`)
	for _, tc := range []struct {
		name, how, field string
		kept, made       bool
	}{
		{"remove", "r", "icid-value=1", false, false},
		{"generate beside a good one", "g", "icid-value=1", true, false},
		{"generate for a bad one", "g", "nothing", false, true},
		{"force", "f", "icid-value=1", false, true},
		{"remove and generate", "rg", "icid-value=1", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := modtest.Start(t, "listen=udp:127.0.0.1:17200\n"+load+`request_route { sip_p_charging_vector("`+tc.how+`"); forward("127.0.0.1", 17201); }`)
			field := "P-Charging-Vector: " + tc.field
			s.Receive(modtest.Request("INVITE", "sip:b@h", field))
			out := s.Sent()
			if len(out) != 1 {
				t.Fatalf("sent %+v", out)
			}
			if got := strings.Contains(out[0].Text, field+"\r\n"); got != tc.kept {
				t.Errorf("the field is there: %v, want %v", got, tc.kept)
			}
			if got := made.MatchString(out[0].Text); got != tc.made {
				t.Errorf("one was made: %v, want %v:\n%s", got, tc.made, out[0].Text)
			}
		})
	}
}

// siputils serves without module pv as long as the variable of rpid_avp is not needed.
func TestWithoutVariables(t *testing.T) {
	if _, err := modtest.Load(t, "loadmodule \"siputils.so\"\nrequest_route { has_totag(); }"); err != nil {
		t.Error(err)
	}
	_, err := modtest.Load(t, "loadmodule \"siputils.so\"\nrequest_route { append_rpid_hf(); }")
	if err == nil || !strings.Contains(err.Error(), "rpid_avp") {
		t.Errorf("got %v, want an error about rpid_avp", err)
	}
}

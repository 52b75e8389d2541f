// Package acc writes accounting lines to the log: one for each answered transaction, and one for each missed call.
package acc

import (
	"errors"
	"fmt"
	"log/syslog"
	"slices"
	"strings"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/tm"
	"kahea/sipparse"
)

func init() {
	modules.Register("acc", func() modules.Module {
		return &mod{logFlag: -1, missedFlag: -1, failedFlag: -1, prepareFlag: -1, level: int(log.Notice), timeAttr: "time_attr", timeExten: "time_exten", timeFormat: "%Y-%m-%d %H:%M:%S"}
	})
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
)

type mod struct {
	logFlag, missedFlag, failedFlag int // -1: none
	reportCancels, earlyMedia       int
	prepareFlag, prepareAlways      int
	prepareBit                      uint32
	level                           int
	facility                        syslog.Priority
	extraText, legText              string
	extra                           []extra
	legs                            []leg
	filterText                      string
	filter                          []int // codes of failed transactions that are not accounted
	reasonHF, direction             int
	rr                              directed // with direction
	timeMode                        int
	timeAttr, timeExten, timeFormat string
	logBit, missedBit, failedBit    uint32
	tag                             route.TagPrefix // of replies that tm makes
	line                            []byte
}

var errNoRR = errors.New("detect_direction needs module rr")

// directed is what acc needs of rr.
type directed interface {
	// Upstream says whether the request comes from the callee.
	Upstream(c *route.Ctx) bool
}

func nothing(modules.Value) error { return nil }

// extra is one name=variable of log_extra.
type extra struct {
	name string
	pv   *route.PV
}

func (m *mod) Exports() modules.Exports {
	flag := func(name string, at *int, doc string) modules.Param {
		return modules.Param{Name: name, Int: at, Min: -1, Max: 31, Doc: doc}
	}
	refuse := func(typ modules.ParamType, why string, names string) (l []modules.Param) {
		for _, n := range strings.Fields(names) {
			l = append(l, modules.Param{Name: n, Type: typ, Doc: why, Func: func(modules.Value) error { return errors.New(why) }})
		}
		return l
	}
	only := func(name string, def int, what string) modules.Param {
		return modules.Param{Name: name, Type: modules.IntParam, Doc: what + ": only the default is there yet", Func: func(v modules.Value) error {
			if v.Int != def {
				return fmt.Errorf("%s is not there yet: only %d is accepted", what, def)
			}
			return nil
		}}
	}
	p := []modules.Param{
		flag("log_flag", &m.logFlag, "message flag of transactions to account, -1: none"),
		flag("log_missed_flag", &m.missedFlag, "message flag of INVITEs to account when they fail, -1: none"),
		flag("failed_transaction_flag", &m.failedFlag, "message flag of transactions to account also when they fail, -1: none"),
		{Name: "log_extra", Str: &m.extraText, Doc: "further fields: name=$variable;..."},
		{Name: "log_level", Int: &m.level, Min: -5, Max: 3, Doc: "level of the lines, 1 (NOTICE)"},
		{Name: "log_facility", Type: modules.StrParam, Func: m.setFacility, Doc: "syslog facility of the lines, the core's by default"},
		{Name: "report_cancels", Int: &m.reportCancels, Max: 1, Doc: "1: CANCEL transactions are accounted too, 0"},
		{Name: "early_media", Int: &m.earlyMedia, Max: 1, Doc: "1: provisional replies with a body are accounted too, 0"},
		flag("acc_prepare_flag", &m.prepareFlag, "message flag of transactions that may get a flag after the request route, -1: none"),
		{Name: "acc_prepare_always", Int: &m.prepareAlways, Max: 1, Doc: "1: all transactions may, 0"},
		only("report_ack", 0, "accounting of ACKs"), only("cdr_enable", 0, "call records"),
		{Name: "detect_direction", Int: &m.direction, Max: 1, Doc: "1: the tags of a request of the callee change places, so that they are those of the first request (module rr says whose it is), 0"},
		{Name: "reason_from_hf", Int: &m.reasonHF, Max: 1, Doc: "1: the reason is the first Reason field of the reply if it has one, 0"},
		{Name: "failed_filter", Str: &m.filterText, Doc: "codes of failed transactions, separated by commas, that are not accounted"},
		{Name: "multi_leg_info", Str: &m.legText, Doc: "fields of each leg: name=$avp(name);...; leg n has the nth values"},
		{Name: "time_mode", Int: &m.timeMode, Max: timeUTC, Doc: "a further field with the time: 0 none, 1 microseconds, 2 seconds.milliseconds, 3 local time by time_format, 4 UTC by time_format"},
		{Name: "time_attr", Str: &m.timeAttr, Doc: `its name with time_mode 2 to 4, "time_attr"`},
		{Name: "time_exten", Str: &m.timeExten, Doc: `its name with time_mode 1, "time_exten"`},
		{Name: "time_format", Str: &m.timeFormat, Doc: `format of the time, as strftime's, "%Y-%m-%d %H:%M:%S"`},
		{Name: "acc_extra_size", Type: modules.IntParam, Doc: "Kamailio's bound of log_extra; makes no difference here", Func: nothing},
		{Name: "acc_extra_nullable", Type: modules.IntParam, Doc: "null in a database; makes no difference in the log", Func: nothing},
		{Name: "clone_msg", Type: modules.IntParam, Doc: "whether Kamailio copies the request before it is accounted; makes no difference here", Func: nothing},
	}
	p = append(p, refuse(modules.AnyParam, "accounting to a database is not there yet: acc writes to the log",
		`db_flag db_missed_flag db_extra db_url db_table_acc db_table_missed_calls db_version_check db_insert_mode acc_method_column acc_from_tag_column
		acc_to_tag_column acc_callid_column acc_sip_code_column acc_sip_reason_column acc_time_column`)...)
	p = append(p, refuse(modules.AnyParam, "call records are not there yet", `cdr_skip cdr_log_enable cdr_start_on_confirmed cdr_facility cdr_extra
		cdr_extra_nullable cdr_start_id cdr_end_id cdr_duration_id cdr_duration_mode cdr_expired_dlg_enable cdrs_table cdr_on_failed cdr_extra_size`)...)
	return modules.Exports{
		Params: p,
		Funcs: []route.Func{
			{Name: "acc_log_request", Args: "s", From: route.AnyRoute, Doc: "account the request in hand, with a comment: [code ]reason", Run: m.request},
			{Name: "acc_request", Args: "ss", From: route.AnyRoute, Doc: "the same; the second is a table of the database that is not there", Run: m.request},
		},
	}
}

func (m *mod) setFacility(v modules.Value) error {
	f, ok := log.ParseFacility(v.Str)
	if !ok {
		return fmt.Errorf("%q is no syslog facility", v.Str)
	}
	m.facility = f
	return nil
}

func (m *mod) Setup(h *modules.Host) error {
	t, ok := h.Find("tm").(tm.API)
	if !ok {
		return errors.New("module tm is needed")
	}
	bit := func(n int) uint32 {
		if n < 0 {
			return 0
		}
		return 1 << uint(n)
	}
	m.logBit, m.missedBit, m.failedBit = bit(m.logFlag), bit(m.missedFlag), bit(m.failedFlag)
	m.prepareBit = bit(m.prepareFlag)
	m.tag = route.NewTagPrefix(route.TMSignature, h.Net.Sockets[0], '-')
	if err := m.setupFields(h); err != nil {
		return err
	}
	if m.direction != 0 {
		if m.rr, _ = h.Find("rr").(directed); m.rr == nil {
			return errNoRR
		}
	}
	if m.logBit|m.missedBit != 0 {
		hook := tm.Hook{Want: m.want, Begin: m.prepared, ResponseOut: m.answered, Failure: m.failed}
		if m.earlyMedia != 0 {
			hook.ProvisionalOut = m.early
		}
		t.AddHook(hook)
	}
	return nil
}

func (m *mod) want(flags uint32) bool { return flags&(m.logBit|m.missedBit) != 0 }

// prepared says whether a transaction that begins with these flags may be accounted.
func (m *mod) prepared(flags uint32) bool {
	return m.prepareAlways != 0 || flags&(m.logBit|m.missedBit|m.prepareBit) != 0
}

// early runs when a provisional reply was sent.
func (m *mod) early(c *route.Ctx, code int, reply *sipparse.Msg) {
	if c.Flags&m.logBit != 0 && len(reply.Body()) > 0 {
		m.write(c, "ACC: transaction answered: ", code, reply)
	}
}

// failed runs before the failure route: a call is missed.
func (m *mod) failed(c *route.Ctx, code int, reply *sipparse.Msg) {
	if c.Flags&m.missedBit == 0 || c.Msg.Line.Method != sipparse.INVITE {
		return
	}
	m.write(c, "ACC: call missed: ", code, reply)
	c.Flags &^= m.missedBit // once
}

// answered runs when a final reply was sent.
func (m *mod) answered(c *route.Ctx, code int, reply *sipparse.Msg) {
	if c.Msg.Line.Method == sipparse.CANCEL && m.reportCancels == 0 {
		return
	}
	if code >= 300 && reply == nil {
		m.failed(c, code, nil)
	}
	if c.Flags&m.logBit == 0 || code >= 300 && (c.Flags&m.failedBit == 0 || slices.Contains(m.filter, code)) {
		return
	}
	m.write(c, "ACC: transaction answered: ", code, reply)
}

// request is acc_log_request.
func (m *mod) request(c *route.Ctx, a *route.Args) int {
	b, ok := a.Str(c, 0)
	if !ok || c.Msg.Line.IsReply {
		return -1
	}
	var code []byte
	if len(b) >= 3 && digit(b[0]) && digit(b[1]) && digit(b[2]) {
		code = b[:3]
		for b = b[3:]; len(b) > 0 && (b[0] == ' ' || b[0] == '\t'); {
			b = b[1:]
		}
	}
	m.print(c, "ACC: request accounted: ", code, b, toTag(&c.Msg))
	return 1
}

func digit(c byte) bool { return c-'0' <= 9 }

package core

// logParams are the parameters of logging and diagnostics.
func (c *Config) logParams() []Param {
	return []Param{
		{Name: "debug", Type: Integer, Int: &c.Debug, Runtime: "core", Doc: "log level: -5 ALERT ... 3 DBG; lines up to it are printed"},
		{Name: "log_stderror", Type: Bool, Bool: &c.LogStderr, Doc: "log to standard error instead of syslog"},
		{Name: "log_color", Type: Bool, Bool: &c.LogColor, Doc: "colours in the log on standard error"},
		{Name: "log_facility", Type: StringOrID, Str: &c.LogFacility, Doc: "syslog facility, LOG_DAEMON by default"},
		{Name: "log_name", Type: String, Str: &c.LogName, Doc: "syslog ident, the program's name by default"},
		{Name: "log_prefix", Type: String, Str: &c.LogPrefix, Doc: "format evaluated for each message and put before log texts"},
		{Name: "memlog", Aliases: []string{"mem_log"}, Type: Integer, Int: &c.MemLog, Runtime: "core", Doc: "log level of the memory report at exit and at SIGUSR1"},
		{Name: "memdbg", Aliases: []string{"mem_dbg"}, Type: Integer, Int: &c.MemDbg, Runtime: "core", Doc: "log level of the ledger rows in a memory report"},
		{Name: "mem_summary", Type: Integer, Int: &c.MemSummary, Runtime: "core", Doc: "what a memory report holds: 1 private dump, 2 shared dump, 4 private sums, 8 shared sums"},
		{Name: "sip_parser_log", Type: Integer, Int: &c.ParserLog, Runtime: "core", Doc: "log level of messages that can not be parsed"},
	}
}

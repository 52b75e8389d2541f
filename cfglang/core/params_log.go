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
		{Name: "log_prefix_mode", Type: Number, Max: 3, Int: &c.LogPrefixMode, Doc: "1: log_prefix is evaluated for each line, not once a message; 2: also where there is no message of the wire; 0"},
		{Name: "log_engine_type", Type: String, Str: &c.LogEngine, Doc: "structured log engine: json; text by default"},
		{Name: "log_engine_data", Type: String, Str: &c.LogEngineData, Doc: "flags of the engine; of json: a, A, c, j, p, M, N, U"},
		{Name: "corelog", Aliases: []string{"core_log"}, Type: Integer, Int: &c.CoreLog, Runtime: "core", Doc: "log level of messages that the core can not handle"},
		{Name: "sip_parser_log_oneline", Type: Bool, Bool: &c.ParserOneLine, Runtime: "core", Doc: "print a message that can not be parsed in one line; no"},
		{Name: "latency_cfg_log", Type: Integer, Int: &c.LatencyCfgLog, Runtime: "core", Doc: "log level of how long a block of the script took; 3"},
		{Name: "latency_limit_cfg", Type: Number, Int: &c.LatencyLimitCfg, Runtime: "core", Doc: "microseconds that a block has to take for that; 0: any time"},
		{Name: "latency_log", Type: Integer, Int: &c.LatencyLog, Runtime: "core", Doc: "log level of statements that take longer than latency_limit_action; -1"},
		{Name: "latency_limit_action", Type: Number, Int: &c.LatencyLimitAction, Runtime: "core", Doc: "microseconds that a statement may take, waits included; 0: any time"},
		{Name: "memlog", Aliases: []string{"mem_log"}, Type: Integer, Int: &c.MemLog, Runtime: "core", Doc: "log level of the memory report at exit and at SIGUSR1"},
		{Name: "memdbg", Aliases: []string{"mem_dbg"}, Type: Integer, Int: &c.MemDbg, Runtime: "core", Doc: "log level of the ledger rows in a memory report"},
		{Name: "mem_summary", Type: Integer, Min: 0, Max: 31, Int: &c.MemSummary, Runtime: "core", Doc: "what a memory report holds: 1 private dump, 2 shared dump, 4 private sums, 8 shared sums"},
		{Name: "sip_parser_log", Type: Integer, Int: &c.ParserLog, Runtime: "core", Doc: "log level of messages that can not be parsed"},
	}
}

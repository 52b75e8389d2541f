package core

import "kahea/cfglang/route"

// Config holds the global parameters after defaults, command line, overlay and file; one instance a process.
type Config struct {
	// logging
	Debug                                                          int
	LogStderr                                                      bool
	LogColor                                                       bool
	LogFacility                                                    string
	LogName                                                        string
	LogPrefix                                                      string
	LogPrefixMode                                                  int
	LogEngine, LogEngineData                                       string
	CoreLog                                                        int
	ParserOneLine                                                  bool
	LatencyCfgLog, LatencyLog, LatencyLimitCfg, LatencyLimitAction int
	MemLog                                                         int
	MemDbg                                                         int
	MemSummary                                                     int
	ParserLog                                                      int
	// processes
	Children                                                                     int
	TCPChildren                                                                  int // -1: as children
	SocketWorkers                                                                int
	Fork                                                                         bool
	User, Group                                                                  string
	Chroot                                                                       string
	Workdir                                                                      string
	RunDir                                                                       string
	DisableCore                                                                  bool
	OpenFiles                                                                    int
	ExitTimeout                                                                  int // s
	IUID                                                                         string
	ServerID                                                                     int
	Restart                                                                      bool   // restart_children: kahea's own
	SuspendMax                                                                   int    // suspend_max: kahea's own
	SuspendPolicy                                                                string // suspend_policy: kahea's own
	UDPBatch                                                                     int    // udp_batch: kahea's own
	CPUAffinity                                                                  string // cpu_affinity: kahea's own
	ForkDelay                                                                    int    // us
	ModInitDelay                                                                 int    // us
	FirstWorker                                                                  int    // wait_worker1_mode
	FirstWait                                                                    int    // us
	MLock                                                                        bool
	RealTime                                                                     int // bits: 1 timer, 2 slow timer, 4 all
	RTPrio, RTPolicy, RTTimer1Prio, RTTimer1Policy, RTTimer2Prio, RTTimer2Policy int
	// memory
	ShmSize    int  // MB
	ShmForce   bool // shm_force_alloc
	ShmReserve int  // percent, shm_reserve: kahea's own
	// sockets
	Port           int
	DisableTCP     bool
	EnableTLS      bool
	EnableSCTP     int
	AutoAliases    bool
	AutoBindIPv6   bool
	AdvAddress     string
	AdvPort        int
	TOS            int
	MaxBuffer      int
	MaxSndBuf      int
	FreeBind       int
	MHomed         bool
	IPv6LinkLocal  int
	IPv6HexStyle   string
	PMTUDiscovery  int
	Mcast          string // of the next listen only
	McastLoopback  bool
	McastTTL       int // -1: the system's
	UDPAcceptProxy int
	UDPMTU         int // bytes, 0: off
	UDPMTUProto    int // sipparse.Proto; 0 is UDP too
	HostChars      string
	NameChars      string
	TCPLifetime    int
	TCPMaxConns    int
	TCPConnTimeout int
	TCPSendTimeout int
	TCPRdBuf       int
	TCPConnWQMax   int
	TCPWQMax       int
	TCPNoConnect   bool
	TCPAcceptNoCL  bool
	TCPCRLFPing    bool
	TCPKeepalive   bool
	MsgMaxSize     int
	HTTPReplies    bool
	StatsSep       string
	// DNS
	RevDNS                                                         bool
	DNSTryIPv6, DNSTryNAPTR, DNSSRVLB, DNSNAPTRIgnoreRFC           bool
	DNSPrefUDP, DNSPrefTCP, DNSPrefTLS, DNSPrefSCTP                int
	DNSRetrTime, DNSRetrNo, DNSServersNo, DNSSlowQuery             int // s, -, -, ms
	DNSSearchList, DNSCacheInit, DNSUseCache, DNSCacheDrop         bool
	BlockInit, BlockUse                                            bool
	BlockExpire, BlockMem, BlockUDP, BlockTCP, BlockTLS, BlockSCTP int
	DNSFailover                                                    bool
	DNSCacheFlags, DNSNegTTL, DNSMinTTL, DNSMaxTTL                 int // -, s, s, s
	DNSCacheMem                                                    int // KB
	// more of TCP
	TCPAcceptAliases  bool
	TCPAcceptUnique   bool
	TCPConnMatch      int
	TCPSourceIPv4     string
	TCPSourceIPv6     string
	TCPDeferAccept    int // s
	TCPDelayedAck     bool
	TCPSynCnt         int
	TCPLinger2        int // s
	TCPKeepIdle       int // s
	TCPKeepIntvl      int // s
	TCPKeepCnt        int
	TCPAcceptHAProxy  bool
	TCPAcceptProtos   int // bits
	TCPWaitData       int // ms
	TCPCloseRST       bool
	TCPReusePort      bool
	TCPScriptMode     int
	TCPBacklog        int
	TCPMsgReadTimeout int // s
	TCPMsgDataTimeout int // s
	TCPCheckTimer     int // s, -1: half of the smaller one of the two
	TCPAcceptIPLimit  int
	// SIP
	ServerSignature bool
	ServerHeader    string
	UserAgentHeader string
	SIPWarning      bool
	ParserMode      int
	ForceRPort      bool
	LocalRPort      bool
	CheckVia        bool
	ReplyToVia      bool
	OnSendReply     bool
	Phone2Tel       bool
	MaxWhileLoops   int
	MaxRecursive    int
	MaxBranches     int
	ReturnMode      int
	ReceivedMode    int
}

// Refusal is suspend_policy for the engine.
func (c *Config) Refusal() route.Refusal {
	if c.SuspendPolicy == "drop" {
		return route.RefuseDrop
	}
	return route.RefuseReply
}

// HAProxy says whether accepted connections may begin with a PROXY header.
func (c *Config) HAProxy() bool { return c.TCPAcceptHAProxy || c.TCPAcceptProtos&128 != 0 }

// TCPCheck is tcp_check_timer in seconds: half of the smaller one of the timeouts that are set, unless it was given; 0: never.
func (c *Config) TCPCheck() int {
	if c.TCPCheckTimer >= 0 {
		return c.TCPCheckTimer
	}
	read, data := c.TCPMsgReadTimeout, c.TCPMsgDataTimeout
	switch {
	case read == 0:
		return (data + 1) / 2
	case data == 0:
		return (read + 1) / 2
	}
	return (min(read, data) + 1) / 2
}

// Defaults are Kamailio's. version is what the Server and User-Agent lines name.
func Defaults(version string) *Config {
	return &Config{
		Debug: 0, LogFacility: "LOG_DAEMON", MemLog: 4, MemDbg: 4, MemSummary: 12, ParserLog: -1, CoreLog: -1, LatencyCfgLog: 3, LatencyLog: -1,
		Children: 8, TCPChildren: -1, Fork: true, Workdir: "/", RunDir: "/run/kamailio", OpenFiles: -1, ExitTimeout: 60, Restart: true, ShmReserve: 5,
		SuspendMax: 10000, SuspendPolicy: "reply", UDPBatch: 32, CPUAffinity: "off", FirstWait: 4000000,
		ShmSize: 64,
		Port:    5060, EnableSCTP: 2, AutoAliases: true, TOS: 16, MaxBuffer: 262144, MaxSndBuf: 262144, IPv6HexStyle: "c", McastTTL: -1,
		TCPDelayedAck: true, TCPAcceptProtos: 92, TCPWaitData: 5000, TCPBacklog: 1024, TCPMsgReadTimeout: 20, TCPMsgDataTimeout: 20, TCPCheckTimer: -1, TCPAcceptIPLimit: 1024,
		StatsSep: "_", DNSTryIPv6: true, DNSNAPTRIgnoreRFC: true, DNSPrefUDP: 30, DNSPrefTCP: 20, DNSPrefTLS: 10, DNSPrefSCTP: 20, DNSRetrTime: -1, DNSRetrNo: -1,
		DNSServersNo: -1, BlockInit: true, BlockExpire: 60, BlockMem: 250, DNSSearchList: true, DNSCacheInit: true, DNSUseCache: true, DNSNegTTL: 60, DNSMaxTTL: 1<<32 - 1, DNSCacheMem: 500,
		TCPLifetime: 120, TCPMaxConns: 2048, TCPConnTimeout: 10, TCPSendTimeout: 10, TCPRdBuf: 16384, TCPConnWQMax: 32768, TCPWQMax: 10485760,
		TCPCRLFPing: true, TCPKeepalive: true, MsgMaxSize: 32767,
		ServerSignature: true, ServerHeader: "Server: kahea (" + version + ")", UserAgentHeader: "User-Agent: kahea (" + version + ")",
		ParserMode: 1, Phone2Tel: true, MaxWhileLoops: 100, MaxRecursive: 256, MaxBranches: 12,
	}
}

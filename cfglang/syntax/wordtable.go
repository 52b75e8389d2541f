package syntax

// WordKind says what part of the language a word belongs to, and so where its example may stand.
type WordKind string

const (
	DirectiveWord WordKind = "directive" // #!name; a line of its own
	SettingWord   WordKind = "setting"   // at the top of a file, with a grammar of its own
	BlockWord     WordKind = "block"     // at the top of a file
	StatementWord WordKind = "statement" // within a block
	OperandWord   WordKind = "condition" // within a comparison
	SendWord      WordKind = "condition in onsend_route"
	OperatorWord  WordKind = "operator"         // within an expression
	AttributeWord WordKind = "socket attribute" // behind listen, or within socket = { }
)

// Word is a row of the table of the language's own words: those that are no parameter, function or variable of another table.
type Word struct {
	Name    string
	Aliases []string
	Kind    WordKind
	Form    string // how it is written; what is optional in brackets
	Doc     string
	Example string // lines of a configuration, or of a block for StatementWord, OperandWord, SendWord and OperatorWord
}

// Words is the table. Documentation and tests read it; the lexer's and the parser's rules are the grammar itself.
func Words() []Word {
	return []Word{
		{Name: "define", Aliases: []string{"def"}, Kind: DirectiveWord, Form: "#!define ID [value]", Doc: "defines ID; an error if it is defined already. The value goes to the end of the line, comments included", Example: "#!define WITH_NAT"},
		{Name: "trydefine", Aliases: []string{"trydef"}, Kind: DirectiveWord, Form: "#!trydefine ID [value]", Doc: "defines ID unless it is defined already", Example: "#!trydefine LISTEN_PORT 5060"},
		{Name: "redefine", Aliases: []string{"redef"}, Kind: DirectiveWord, Form: "#!redefine ID [value]", Doc: "defines ID, whether it is defined already or not", Example: "#!redefine LISTEN_PORT 5080"},
		{Name: "undefine", Aliases: []string{"undef"}, Kind: DirectiveWord, Form: "#!undefine ID", Doc: "takes a define away; an error if there is none", Example: "#!define X\n#!undefine X"},
		{Name: "tryundefine", Aliases: []string{"tryundef"}, Kind: DirectiveWord, Form: "#!tryundefine ID", Doc: "takes a define away if there is one", Example: "#!tryundefine X"},
		{Name: "defexp", Kind: DirectiveWord, Form: "#!defexp ID expression", Doc: "defines ID as the value of an expression over numbers, strings and defines", Example: "#!defexp HALF 8 / 2"},
		{Name: "defexps", Kind: DirectiveWord, Form: "#!defexps ID expression", Doc: "as defexp, with the value in double quotes", Example: "#!defexps NAME \"a\" + \"b\""},
		{Name: "defenv", Kind: DirectiveWord, Form: "#!defenv [ID=]VARIABLE", Doc: "defines ID as the value of an environment variable; an error if that is not set", Example: "#!defenv PATH"},
		{Name: "defenvs", Kind: DirectiveWord, Form: "#!defenvs [ID=]VARIABLE", Doc: "as defenv, with the value in double quotes", Example: "#!defenvs MYPATH=PATH"},
		{Name: "trydefenv", Kind: DirectiveWord, Form: "#!trydefenv [ID=]VARIABLE", Doc: "as defenv, and nothing is defined if the variable is not set", Example: "#!trydefenv NODE_NAME"},
		{Name: "trydefenvs", Kind: DirectiveWord, Form: "#!trydefenvs [ID=]VARIABLE", Doc: "as trydefenv, with the value in double quotes", Example: "#!trydefenvs NODE_NAME"},
		{Name: "ifdef", Kind: DirectiveWord, Form: "#!ifdef ID", Doc: "what follows up to else or endif counts only if ID is defined; up to 512 within each other", Example: "#!ifdef WITH_NAT\n#!endif"},
		{Name: "ifndef", Kind: DirectiveWord, Form: "#!ifndef ID", Doc: "what follows up to else or endif counts only if ID is not defined", Example: "#!ifndef WITH_NAT\n#!endif"},
		{Name: "ifexp", Kind: DirectiveWord, Form: "#!ifexp expression", Doc: "what follows up to else or endif counts only if the expression is a number but 0, or text that is not empty", Example: "#!ifexp WORKERS > 4\n#!endif"},
		{Name: "else", Kind: DirectiveWord, Form: "#!else", Doc: "the other part of the innermost ifdef, ifndef or ifexp", Example: "#!ifdef WITH_NAT\n#!else\n#!endif"},
		{Name: "endif", Kind: DirectiveWord, Form: "#!endif", Doc: "the end of the innermost ifdef, ifndef or ifexp", Example: "#!ifdef WITH_NAT\n#!endif"},
		{Name: "subst", Kind: DirectiveWord, Form: "#!subst \"/expression/replacement/flags\"", Doc: "changes the strings, variables and include paths that follow. Flags: i any case, g all occurrences, s a dot matches a line end", Example: "#!subst \"/DBHOST/10.0.0.1/g\""},
		{Name: "substdef", Kind: DirectiveWord, Form: "#!substdef \"/ID/value/flags\"", Doc: "as subst, and defines ID as value", Example: "#!substdef \"/DBPORT/3306/g\""},
		{Name: "substdefs", Kind: DirectiveWord, Form: "#!substdefs \"/ID/value/flags\"", Doc: "as substdef, with the define in double quotes", Example: "#!substdefs \"/DBNAME/kamailio/g\""},
		{Name: "KAMAILIO", Aliases: []string{"OPENSER"}, Kind: DirectiveWord, Form: "#!KAMAILIO", Doc: "$name is a variable from here on, never an attribute", Example: "#!KAMAILIO"},
		{Name: "SER", Kind: DirectiveWord, Form: "#!SER", Doc: "$name is an attribute from here on, never a variable", Example: "#!SER"},
		{Name: "MAXCOMPAT", Aliases: []string{"ALL"}, Kind: DirectiveWord, Form: "#!MAXCOMPAT", Doc: "$name is a variable if there is one of that name, otherwise an attribute. This is so without a marker", Example: "#!MAXCOMPAT"},

		{Name: "include_file", Kind: SettingWord, Form: "include_file \"path\"", Doc: "reads another file here, from the working directory or the directory of this file; up to 10 within each other. Also as #!include_file"},
		{Name: "import_file", Kind: SettingWord, Form: "import_file \"path\"", Doc: "as include_file, and nothing happens if the file is not there", Example: "import_file \"local.cfg\""},
		{Name: "loadmodule", Kind: SettingWord, Form: "loadmodule \"name[.so]\"", Doc: "loads a module", Example: "loadmodule \"pv.so\""},
		{Name: "loadmodulex", Kind: SettingWord, Form: "loadmodulex \"name\"", Doc: "as loadmodule, and the name may hold variables such as $env(NAME) and $def(NAME)", Example: "#!trydefine SL sl\nloadmodulex \"$def(SL)\""},
		{Name: "mpath", Aliases: []string{"loadpath"}, Kind: SettingWord, Form: "mpath=\"directory[:directory...]\"", Doc: "where modules are looked for", Example: "mpath=\"/usr/lib/x86_64-linux-gnu/kamailio/modules/\""},
		{Name: "modparam", Kind: SettingWord, Form: "modparam(\"module\", \"parameter\", value)", Doc: "sets a parameter of a module that is loaded. The module may be a regular expression, or several names separated by |", Example: "loadmodule \"usrloc.so\"\nmodparam(\"usrloc\", \"hash_size\", 12)"},
		{Name: "modparamx", Kind: SettingWord, Form: "modparamx(\"module\", \"parameter\", value)", Doc: "as modparam, and the value may hold variables such as $env(NAME) and $def(NAME)", Example: "#!trydefine SIZE 12\nloadmodule \"usrloc.so\"\nmodparamx(\"usrloc\", \"hash_size\", $defn(SIZE))"},
		{Name: "cfgengine", Kind: SettingWord, Form: "cfgengine=\"native\"", Doc: "which engine runs the script: native, or default, its other name", Example: "cfgengine=\"native\""},
		{Name: "flags", Aliases: []string{"bool"}, Kind: SettingWord, Form: "flags NAME[:number], ...", Doc: "names of message flags, for setflag and its like", Example: "flags FLT_ACC:1, FLT_NATS:5"},
		{Name: "listen", Kind: SettingWord, Form: "listen=[protocol:]address[:port] [advertise host[:port]] [name \"NAME\"] [virtual]", Doc: "a socket to receive on. The address may be an IP address, a host or an interface; without a protocol UDP and TCP; several in one line are separated by blanks. Without any listen each address of the machine is taken", Example: "listen=udp:127.0.0.1:5060 advertise 192.0.2.1:5060 name \"inside\""},
		{Name: "socket", Kind: SettingWord, Form: "socket={ bind=[protocol:]address[:port[-port]]; attributes... }", Doc: "a socket to receive on, with attributes: name, advertise, agname, virtual, vrf, workers. A range of ports is a socket each", Example: "socket={ bind=udp:127.0.0.1:5060; name=\"inside\" }"},
		{Name: "alias", Aliases: []string{"domain"}, Kind: SettingWord, Form: "alias=[protocol:]host[:port]", Doc: "a name that is \"myself\" beside the sockets; several in one line are separated by blanks", Example: "alias=\"sip.example.com\""},
		{Name: "advertise", Aliases: []string{"ADVERTISE"}, Kind: AttributeWord, Form: "advertise host[:port]", Doc: "address that Via and Record-Route name instead of the real one", Example: "listen=udp:127.0.0.1:5060 advertise 192.0.2.1:5060"},
		{Name: "name", Aliases: []string{"NAME"}, Kind: AttributeWord, Form: "name \"NAME\"", Doc: "name of a socket, for $fsn, $Rn and set_send_socket_name", Example: "listen=udp:127.0.0.1:5060 name \"inside\""},
		{Name: "virtual", Kind: AttributeWord, Form: "virtual", Doc: "the address may come and go: it is \"myself\" only while an interface has it", Example: "listen=udp:127.0.0.1:5060 virtual"},
		{Name: "agname", Aliases: []string{"AGNAME"}, Kind: AttributeWord, Form: "agname=\"NAME\"", Doc: "name of the group of receivers", Example: "socket={ bind=udp:127.0.0.1:5060; agname=\"a\" }"},

		{Name: "request_route", Kind: BlockWord, Form: "request_route { ... }", Doc: "runs for each request. Several of them are one", Example: "request_route { exit; }"},
		{Name: "route", Kind: BlockWord, Form: "route[NAME] { ... } and route(NAME);", Doc: "a route that others call with route(NAME). route { } without a name is request_route", Example: "request_route { route(RELAY); }\nroute[RELAY] { exit; }"},
		{Name: "reply_route", Kind: BlockWord, Form: "reply_route { ... }", Doc: "runs for each reply, before its transaction is looked for; drop discards the reply", Example: "reply_route { exit; }"},
		{Name: "onreply_route", Kind: BlockWord, Form: "onreply_route[NAME] { ... }", Doc: "runs for each reply of a transaction that was armed with t_on_reply(\"NAME\"). Without a name it is reply_route", Example: "onreply_route[MANAGE_REPLY] { exit; }\nrequest_route { exit; }"},
		{Name: "failure_route", Kind: BlockWord, Form: "failure_route[NAME] { ... }", Doc: "runs when a transaction that was armed with t_on_failure(\"NAME\") is about to answer with a failure", Example: "failure_route[MANAGE_FAILURE] { exit; }\nrequest_route { exit; }"},
		{Name: "branch_route", Kind: BlockWord, Form: "branch_route[NAME] { ... }", Doc: "runs for each branch of a transaction that was armed with t_on_branch(\"NAME\"), before it is sent", Example: "branch_route[MANAGE_BRANCH] { exit; }\nrequest_route { exit; }"},
		{Name: "onsend_route", Kind: BlockWord, Form: "onsend_route { ... }", Doc: "runs before each send of a request that is forwarded, and of replies with onsend_route_reply; few commands are allowed; drop does not send", Example: "onsend_route { exit; }\nrequest_route { exit; }"},
		{Name: "event_route", Kind: BlockWord, Form: "event_route[module:event] { ... }", Doc: "runs when a module or the core has something to tell: core:worker-one-init, tm:local-request and others (kahea doc MODULE lists a module's)", Example: "event_route[core:worker-one-init] { exit; }\nrequest_route { exit; }"},

		{Name: "if", Kind: StatementWord, Form: "if (condition) statement [else statement]", Doc: "runs a statement or a block if the condition holds; a number holds when it is greater than 0", Example: "if (method == \"INVITE\") { exit; } else { drop; }"},
		{Name: "while", Kind: StatementWord, Form: "while (condition) statement", Doc: "runs a statement or a block as long as the condition holds, max_while_loops times at most", Example: "while (status == 1) { break; }"},
		{Name: "switch", Kind: StatementWord, Form: "switch (value) { case constant: ... default: ... }", Doc: "runs from the case that is equal, or that matches as in case /expression/, to the next break", Example: "switch ($rc) { case 1: exit; default: drop; }"},
		{Name: "case", Kind: StatementWord, Form: "case constant: or case /expression/:", Doc: "a part of a switch", Example: "switch ($rc) { case 1: exit; }"},
		{Name: "default", Kind: StatementWord, Form: "default:", Doc: "the part of a switch for all other values", Example: "switch ($rc) { default: exit; }"},
		{Name: "break", Kind: StatementWord, Form: "break;", Doc: "ends a case or a loop", Example: "while (1) { break; }"},
		{Name: "return", Kind: StatementWord, Form: "return [number];", Doc: "ends the route; the number is its return code ($rc), 1 without one; 0 ends the script", Example: "return 1;"},
		{Name: "exit", Kind: StatementWord, Form: "exit;", Doc: "ends the script for this message", Example: "exit;"},
		{Name: "drop", Kind: StatementWord, Form: "drop;", Doc: "ends the script, and discards the reply, the branch or the send", Example: "drop;"},

		{Name: "method", Kind: OperandWord, Form: "method == \"NAME\"", Doc: "method of the request; for a reply, that of its CSeq", Example: "if (method == \"INVITE\") exit;"},
		{Name: "uri", Kind: OperandWord, Form: "uri == \"URI\"", Doc: "R-URI", Example: "if (uri == myself) exit;"},
		{Name: "from_uri", Kind: OperandWord, Form: "from_uri == \"URI\"", Doc: "URI of From", Example: "if (from_uri == myself) exit;"},
		{Name: "to_uri", Kind: OperandWord, Form: "to_uri == \"URI\"", Doc: "URI of To", Example: "if (to_uri == myself) exit;"},
		{Name: "status", Kind: OperandWord, Form: "status == \"CODE\"", Doc: "code of the reply", Example: "if (status == \"200\") exit;"},
		{Name: "src_ip", Kind: OperandWord, Form: "src_ip == address[/mask]", Doc: "address that the message came from", Example: "if (src_ip == 10.0.0.0/8) exit;"},
		{Name: "src_port", Kind: OperandWord, Form: "src_port == number", Doc: "port that the message came from", Example: "if (src_port == 5060) exit;"},
		{Name: "dst_ip", Kind: OperandWord, Form: "dst_ip == address[/mask]", Doc: "address that the message came to", Example: "if (dst_ip == 127.0.0.1) exit;"},
		{Name: "dst_port", Kind: OperandWord, Form: "dst_port == number", Doc: "port that the message came to", Example: "if (dst_port == 5060) exit;"},
		{Name: "proto", Kind: OperandWord, Form: "proto == PROTOCOL", Doc: "transport that the message came over", Example: "if (proto == TCP) exit;"},
		{Name: "af", Kind: OperandWord, Form: "af == INET or INET6", Doc: "address family that the message came over", Example: "if (af == INET6) exit;"},
		{Name: "myself", Kind: OperandWord, Form: "uri == myself", Doc: "the addresses and names of this server: its sockets, what they advertise, and alias", Example: "if (uri == myself) exit;"},
		{Name: "snd_ip", Kind: SendWord, Form: "snd_ip == address[/mask]", Doc: "address that is sent from", Example: "if (snd_ip == 10.0.0.1) drop;"},
		{Name: "snd_port", Kind: SendWord, Form: "snd_port == number", Doc: "port that is sent from", Example: "if (snd_port == 5060) drop;"},
		{Name: "snd_proto", Kind: SendWord, Form: "snd_proto == PROTOCOL", Doc: "transport that is sent over", Example: "if (snd_proto == UDP) drop;"},
		{Name: "snd_af", Kind: SendWord, Form: "snd_af == INET or INET6", Doc: "address family that is sent over", Example: "if (snd_af == INET) drop;"},
		{Name: "to_ip", Kind: SendWord, Form: "to_ip == address[/mask]", Doc: "address that is sent to", Example: "if (to_ip == 10.0.0.0/8) drop;"},
		{Name: "to_port", Kind: SendWord, Form: "to_port == number", Doc: "port that is sent to", Example: "if (to_port == 5060) drop;"},
		{Name: "to_proto", Kind: SendWord, Form: "to_proto == PROTOCOL", Doc: "transport that is sent over", Example: "if (to_proto == TCP) drop;"},
		{Name: "to_af", Kind: SendWord, Form: "to_af == INET or INET6", Doc: "address family that is sent over", Example: "if (to_af == INET6) drop;"},

		{Name: "and", Aliases: []string{"&&"}, Kind: OperatorWord, Form: "a && b", Doc: "both hold; the second is not looked at if the first does not", Example: "if (method == \"INVITE\" && af == INET) exit;"},
		{Name: "or", Aliases: []string{"||"}, Kind: OperatorWord, Form: "a || b", Doc: "one of both holds; the second is not looked at if the first does", Example: "if (method == \"INVITE\" || method == \"BYE\") exit;"},
		{Name: "not", Aliases: []string{"!"}, Kind: OperatorWord, Form: "!a", Doc: "a does not hold", Example: "if (!(method == \"INVITE\")) exit;"},
		{Name: "eq", Aliases: []string{"==", "ieq"}, Kind: OperatorWord, Form: "a == b", Doc: "equal; the left side says whether as text or as numbers (eq: as text, ieq: as numbers)", Example: "if ($rc eq \"1\") exit;"},
		{Name: "ne", Aliases: []string{"!=", "ine"}, Kind: OperatorWord, Form: "a != b", Doc: "not equal; the left side says whether as text or as numbers (ne: as text, ine: as numbers)", Example: "if ($rc ne \"1\") exit;"},
		{Name: "=~", Kind: OperatorWord, Form: "text =~ \"expression\"", Doc: "the regular expression matches; the case of letters does not count", Example: "if (uri =~ \"^sip:1\") exit;"},
		{Name: "mod", Aliases: []string{"%"}, Kind: OperatorWord, Form: "a mod b", Doc: "rest of a division of whole numbers", Example: "if ($rc mod 2 == 1) exit;"},
		{Name: "strlen", Kind: OperatorWord, Form: "strlen(text)", Doc: "length of a text", Example: "if (strlen($rc) > 1) exit;"},
		{Name: "strempty", Kind: OperatorWord, Form: "strempty(text)", Doc: "the text is empty", Example: "if (strempty($rc)) exit;"},
		{Name: "defined", Kind: OperatorWord, Form: "defined value", Doc: "the value is there", Example: "if (defined $rc) exit;"},
		{Name: "int", Kind: OperatorWord, Form: "(int)value", Doc: "the value as a number", Example: "if ((int)\"12\" == 12) exit;"},
		{Name: "str", Kind: OperatorWord, Form: "(str)value", Doc: "the value as text", Example: "if ((str)12 == \"12\") exit;"},
		{Name: "selval", Kind: OperatorWord, Form: "selval(condition, a, b)", Doc: "a if the condition holds, otherwise b", Example: "if (selval($rc == 1, 2, 3) == 2) exit;"},
	}
}

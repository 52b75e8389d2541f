package main

// notByConfig are formats of the sources that no configuration can cause, with the reason.
var notByConfig = map[string]string{
	"a change would mean something else; nothing is changed: %w": "kahea fmt",
	"the text is too unusual to be formatted":                    "kahea fmt",
	"line %d: the comment is not closed":                         "kahea fmt",
	"line %d: the string is not closed":                          "kahea fmt",
	"line %d: the variable is not closed":                        "kahea fmt",
	"select %q: there are no selects":                            "a compiler that is made without selects",
	"select %q: there is no variable %s.%s":                      "selects without a run-time configuration",
	"missing ')' behind $(%s":                                    "the outer parenthesis is looked for first",
	"register variable $%s: name is taken":                       "two modules of kahea's own",
	"register transformation class {%s.*}: name is taken":        "two modules of kahea's own",
	"there is no address to listen on":                           "a machine without addresses",
	"listen %s: unknown protocol":                                "the grammar takes no other word",
	"must be a constant number":                                  "the core's commands have their grammar, and no module's function wants one",
	"socket %q: missing ]":                                       "$fs at run time; the grammar makes whole ones",
	"socket %q: bad port":                                        "$fs at run time; the grammar makes whole ones",
	"socket %q: no host":                                         "$fs at run time; the grammar makes whole ones",
}

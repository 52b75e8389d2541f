package core

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"kahea/cfglang/pv"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// Selects resolves selects (@from.uri.user, $sel(...)) to getters. A select is a path: each component is a name, in any case and
// with '_' for '-', a quoted text, or one of them with an index. The getter yields a string, a string without text (Str is nil:
// the element is there but empty, which $sel prints as <null>), or Null when there is no such element.
type Selects struct {
	// Cfg is the run-time configuration; nil: there is none.
	Cfg RuntimeConfig
}

// RuntimeConfig finds what scripts read of the run-time configuration.
type RuntimeConfig interface {
	Variable(group, name string) (route.Getter, error)
	Group(name string) (*route.CfgGroup, error)
}

// component is one part of a select's path.
type component struct {
	name   string // as written
	quoted bool
	index  int
	hasIdx bool
}

// element yields what a part of a select stands for: ok is false when it is not there, b nil when it is there and empty.
type element func(c *route.Ctx) (b []byte, ok bool)

// resolver turns the components behind a root into an element.
type resolver func(s *Selects, root component, rest []component) (element, error)

// Parse compiles the text of a select; a leading '@' may stand there or not.
func (s *Selects) Parse(text string) (route.Getter, error) {
	path, err := parseSelect(strings.TrimPrefix(strings.TrimSpace(text), "@"))
	if err != nil {
		return nil, fmt.Errorf("select %q: %w", text, err)
	}
	if path[0].key() == "cfg_get" {
		if len(path) != 3 || path[1].hasIdx || path[2].hasIdx {
			return nil, fmt.Errorf("select %q: want cfg_get.group.name", text)
		}
		if s.Cfg == nil {
			return nil, fmt.Errorf("select %q: there is no variable %s.%s", text, path[1].name, path[2].name)
		}
		return s.Cfg.Variable(path[1].name, path[2].name)
	}
	f := selectRoots()[path[0].key()]
	if f == nil {
		return nil, fmt.Errorf("select %q: %w", text, &pv.UnknownError{What: "root", Name: path[0].name, Known: selectNames()})
	}
	e, err := f(s, path[0], path[1:])
	if err != nil {
		return nil, fmt.Errorf("select %q: %w", text, err)
	}
	return func(c *route.Ctx) route.Value {
		b, ok := e(c)
		if !ok {
			return route.Null
		}
		return route.Str(b)
	}, nil
}

func (c *component) key() string {
	if c.quoted {
		return c.name
	}
	return strings.ToLower(c.name)
}

// maxSelect is the number of components that Kamailio takes.
const maxSelect = 32

func parseSelect(s string) ([]component, error) {
	var path []component
	for i := 0; ; {
		for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
			i++
		}
		at := i
		for i < len(s) && (s[i]|0x20-'a' < 26 || s[i]-'0' < 10 || s[i] == '_' || s[i] == '-') {
			i++
		}
		if at == i {
			return nil, fmt.Errorf("a name is missing before %q", s[i:])
		}
		path = append(path, component{name: s[at:i]})
		for {
			for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
				i++
			}
			if i == len(s) {
				if len(path) > maxSelect {
					return nil, fmt.Errorf("it has more than %d parts", maxSelect)
				}
				return path, nil
			}
			if s[i] != '[' {
				break
			}
			end, comp, err := parseIndex(s, i+1)
			if err != nil {
				return nil, err
			}
			last := &path[len(path)-1]
			switch {
			case comp.quoted:
				path = append(path, comp)
			case last.hasIdx:
				return nil, fmt.Errorf("%q has two indexes", last.name)
			default:
				last.index, last.hasIdx = comp.index, true
			}
			i = end
		}
		if s[i] != '.' {
			return nil, fmt.Errorf("unexpected %q", s[i:])
		}
		i++
	}
}

// parseIndex reads what stands behind '[' and returns what follows the ']'.
func parseIndex(s string, i int) (end int, c component, err error) {
	j := strings.IndexByte(s[i:], ']')
	if i < len(s) && (s[i] == '"' || s[i] == '\'') {
		if j = strings.Index(s[i:], s[i:i+1]+"]"); j > 0 {
			return i + j + 2, component{name: s[i+1 : i+j], quoted: true}, nil
		}
	}
	if j < 0 {
		return 0, c, fmt.Errorf("missing ']' in %q", s)
	}
	n, err := strconv.Atoi(strings.TrimSpace(s[i : i+j]))
	if err != nil {
		return 0, c, fmt.Errorf("index %q is no number", s[i:i+j])
	}
	return i + j + 1, component{index: n, hasIdx: true}, nil
}

// selectRoots is the table of what may stand first.
func selectRoots() map[string]resolver {
	m := map[string]resolver{
		"via": viaSelect, "v": viaSelect, "cseq": cseqSelect, "contact": contactSelect, "m": contactSelect,
		"record_route": recordRouteSelect, "rr": recordRouteSelect, "msg": messageSelect, "message": messageSelect,
		"authorization": authSelect(sipparse.HdrAuthorization), "proxy_authorization": authSelect(sipparse.HdrProxyAuthorization),
		"src": addrSelect(false, false), "dst": addrSelect(true, false), "received": addrSelect(true, true),
		"sys": sysSelect, "branch": branchSelect, "next_hop": nextHopSelect, "cfg_selected": cfgSelected,
		"method": leaf(requestPart(requestMethod)), "version": leaf(firstVersion), "status": leaf(replyPart(statusAndReason)),
		"code": leaf(replyPart(statusCode)), "reason": leaf(replyPart(reasonPhrase)), "event": leaf(eventName), "identity_info": leaf(namedBody("Identity-Info")),
		"from": partySelect(fromAddr, sipparse.HdrFrom), "to": partySelect(toAddr, sipparse.HdrTo),
		"ruri": uriRoot(currentURI), "dst_uri": uriRoot(destinationURI),
		"refer_to": partySelect(firstOf(sipparse.HdrReferTo), sipparse.HdrReferTo), "rpid": partySelect(firstOf(sipparse.HdrRPID), sipparse.HdrRPID),
	}
	for alias, name := range map[string]string{"f": "from", "t": "to", "request_uri": "ruri", "remote_party_id": "rpid"} {
		m[alias] = m[name]
	}
	for name, t := range map[string]sipparse.HdrType{
		"call_id": sipparse.HdrCallID, "expires": sipparse.HdrExpires, "max_forwards": sipparse.HdrMaxForwards, "content_type": sipparse.HdrContentType,
		"content_length": sipparse.HdrContentLength, "subject": sipparse.HdrSubject, "organization": sipparse.HdrOrganization,
		"priority": sipparse.HdrPriority, "session_expires": sipparse.HdrSessionExpires, "min_se": sipparse.HdrMinSE,
		"user_agent": sipparse.HdrUserAgent, "sip_if_match": sipparse.HdrSIPIfMatch, "date": sipparse.HdrDate, "identity": sipparse.HdrIdentity,
	} {
		m[name] = leaf(bodyOf(t))
	}
	return m
}

func selectNames() []string {
	n := []string{"cfg_get"}
	for k := range selectRoots() {
		n = append(n, k)
	}
	sort.Strings(n)
	return n
}

// leaf is a root or part without children.
func leaf(e element) resolver {
	return func(_ *Selects, root component, rest []component) (element, error) {
		if root.hasIdx {
			return nil, errSelectIndex(root)
		}
		if len(rest) > 0 {
			return nil, errSelectPart(root, rest[0])
		}
		return e, nil
	}
}

func errSelectPart(of, part component) error {
	return fmt.Errorf("%s has no part %q", of.name, part.name)
}
func errSelectIndex(of component) error { return fmt.Errorf("%s takes no index", of.name) }
func errSelectMore(of component) error  { return fmt.Errorf("a part of %s must be named", of.name) }

// alone checks that part is the last component and has no index.
func alone(part component, rest []component) error {
	if part.hasIdx {
		return errSelectIndex(part)
	}
	if len(rest) > 0 {
		return errSelectPart(part, rest[0])
	}
	return nil
}

// opt is nil for an empty text: an element that is there without a text.
func opt(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// paramSelect yields params.NAME (or params["NAME"]) of a parameter list; ok is false when the parameter is not there.
func paramSelect(part component, rest []component, params element) (element, error) {
	if part.hasIdx {
		return nil, errSelectIndex(part)
	}
	if len(rest) == 0 {
		return nil, errSelectMore(part)
	}
	name := rest[0].name
	if err := alone(rest[0], rest[1:]); err != nil {
		return nil, err
	}
	return func(c *route.Ctx) ([]byte, bool) {
		b, ok := params(c)
		if !ok {
			return nil, false
		}
		v, ok := sipparse.Param(b, name)
		return opt(unquote(v)), ok
	}, nil
}

func unquote(b []byte) []byte {
	if n := len(b); n >= 2 && b[0] == '"' && b[n-1] == '"' {
		return b[1 : n-1]
	}
	return b
}

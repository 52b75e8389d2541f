// Package textops edits header fields and the body of messages by text and regular expression, and tests texts.
//
// The message itself never changes: an edit takes effect in what is sent. Tests and searches see the message as received.
package textops

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/sipparse"
)

func init() {
	modules.Register("textops", func() modules.Module { return &mod{} })
}

var _ modules.Module = (*mod)(nil)

// mod has no state: all that a function needs is bound to its call.
type mod struct{}

const (
	replyable = route.InRequest | route.InFailure | route.InBranch // where a reply can be prepared
	withReply = replyable | route.AnyReply
)

func (m *mod) Exports() modules.Exports {
	run := func(name, args string, from route.Mask, doc string, f func(c *route.Ctx, a *route.Args) int) route.Func {
		return route.Func{Name: name, Args: args, From: from, Doc: doc, Run: f}
	}
	bind := func(name, args string, from route.Mask, doc string, f func(e route.Env, a *route.Args) (func(c *route.Ctx) int, error)) route.Func {
		return route.Func{Name: name, Args: args, From: from, Doc: doc, Compile: f}
	}
	test := func(name, args, doc string, f func(b, p []byte) bool) route.Func {
		return run(name, args, route.AnyRoute, doc, func(c *route.Ctx, a *route.Args) int {
			b, ok1 := a.Str(c, 0)
			p, ok2 := a.Str(c, 1)
			return truth(ok1 && ok2 && f(b, p))
		})
	}
	any := route.AnyRoute
	return modules.Exports{
		Funcs: []route.Func{
			bind("is_method", "S", any, "the method (of a reply CSeq's) is one of A|B|C", compileIsMethod),

			bind("append_hf", "s|S", any, "add a header at the end, or behind the last of a name", compileAppend),
			bind("insert_hf", "s|S", any, "add a header at the top, or before the first of a name", compileInsert),
			run("append_urihf", "ss", replyable, "add prefix, R-URI and suffix as a header", appendURIHdr),
			bind("remove_hf", "S", any, "remove all headers of a name; true if there was one", compileRemove),
			run("remove_hf_pv", "s", any, "remove_hf with variables", removePV),
			bind("remove_hf_idx", "SS", any, "remove the nth header of a name (from 0; negative from the end)", compileRemoveIdx),
			bind("remove_hf_re", "S", any, "remove the headers whose name matches", compileRemoveRE),
			run("remove_hf_re_pv", "s", any, "remove_hf_re with variables", removeREPV),
			bind("remove_hf_exp", "SS", any, "remove the headers whose name matches the first and not the second expression", compileRemoveExp),
			run("remove_hf_exp_pv", "ss", any, "remove_hf_exp with variables", removeExpPV),
			bind("remove_hf_match", "SSs", any, "remove the headers of a name whose body eq, ne, in, re or sw the text", compileRemoveMatch),
			bind("is_present_hf", "S", any, "there is such a header", compilePresent),
			run("is_present_hf_pv", "s", any, "is_present_hf with variables", presentPV),
			bind("is_present_hf_re", "S", any, "the name of a header matches", compilePresentRE),
			run("is_present_hf_re_pv", "s", any, "is_present_hf_re with variables", presentREPV),

			bind("search", "S", any, "the expression matches anywhere in the message", searchIn(wholeMsg)),
			bind("search_body", "S", any, "the expression matches in the body", searchIn(bodyOf)),
			bind("search_hf", "SSS", any, "the expression matches the first (f), last (l) or any (a) header of a name", compileSearchHdr),
			bind("search_append", "Ss", any, "insert text behind the first match", appendAfter(wholeMsg)),
			bind("search_append_body", "Ss", any, "insert text behind the first match in the body", appendAfter(bodyOf)),
			bind("replace", "Ss", any, "replace the first match in headers or body", replaceIn(fromHeaders, false)),
			bind("replace_body", "Ss", any, "replace the first match in the body", replaceIn(bodyOf, false)),
			bind("replace_hdrs", "Ss", any, "replace every match in the headers", replaceIn(headersOf, true)),
			bind("replace_all", "Ss", any, "replace every match in headers and body", replaceIn(fromHeaders, true)),
			bind("replace_body_all", "Ss", any, "replace every match in the body", replaceIn(bodyOf, true)),
			bind("replace_body_atonce", "Ss", any, "replace every match in the body, taken as one line", replaceAtOnce),
			run("replace_str", "sss", any, "replace text in headers and body: f first, a all", replaceText(fromHeaders)),
			run("replace_body_str", "sss", any, "replace text in the body: f first, a all", replaceText(bodyOf)),
			run("replace_hdrs_str", "sss", any, "replace text in the headers: f first, a all", replaceText(headersOf)),

			bind("subst", "S", any, "/re/replacement/flags on headers and body", substIn(fromHeaders)),
			bind("subst_body", "S", any, "the same on the body", substIn(bodyOf)),
			bind("subst_hf", "SSS", any, "the same on the first (f), last (l) or all (a) headers of a name", compileSubstHdr),
			bind("subst_uri", "S", withReply, "the same on the R-URI", compileSubstURI),
			bind("subst_user", "S", withReply, "the same on the user of the R-URI", compileSubstUser),
			bind("subst_v", "sSP", any, "the same on a text, into a variable", compileSubstVar),

			run("append_to_reply", "s", replyable, "add header text to the replies made here", appendToReply),
			run("append_time", "", replyable, "add Date to the replies made here", appendTime),
			run("append_time_to_request", "", any, "add Date to the request", appendTimeToRequest),
			run("set_body", "ss", withReply, "replace body and Content-Type", setBody),
			run("set_reply_body", "ss", replyable, "body and Content-Type of the replies made here", setReplyBody),
			run("set_body_hex", "ss", any, "set_body; the body is given in hexadecimal digits", setBodyHex),
			run("set_reply_body_hex", "ss", replyable, "set_reply_body; the body is given in hexadecimal digits", setReplyBodyHex),
			run("set_body_multipart", "|sss", replyable, "make the body multipart/mixed: of a text and its type, or of the body there is; with a boundary", setMultipart),
			run("append_body_part", "ss|s", replyable, "add a part to a multipart body: content, type, disposition", addBodyPart(asIs)),
			run("append_body_part_hex", "ss|s", replyable, "append_body_part; the content is given in hexadecimal digits", addBodyPart(fromHex)),
			run("remove_body_part", "s", replyable, "remove the first part of a type", removeBodyPart),
			run("get_body_part", "sP", withReply, "store the content of the first part of a type", bodyPart(false)),
			run("get_body_part_raw", "sP", withReply, "store the first part of a type with its header fields", bodyPart(true)),
			run("filter_body", "s", any, "keep the content of the first part of a type only", filterBody),
			run("is_audio_on_hold", "", any, "an audio stream of the SDP is on hold: 1 address 0.0.0.0, 2 sendonly or inactive", audioOnHold),
			run("via_param_rm", "si", any, "remove a parameter of the nth Via (from 0)", viaParamRemove),
			run("has_body", "|S", any, "there is a body (of the type)", hasBody),

			bind("regex_substring", "sSiiP", withReply, "store a subexpression of a match: text, expression, its number (0: the whole), how many there are with the whole, variable; -2: no match", compileSubstring),

			run("is_privacy", "S", any, "Privacy has the value", isPrivacy),
			run("in_list", "sss", any, "the text is an item of a list", inList(bytes.Equal)),
			run("in_list_prefix", "sss", any, "an item of a list is a prefix of the text", inList(bytes.HasPrefix)),
			test("cmp_str", "ss", "texts are equal", bytes.Equal),
			test("cmp_istr", "ss", "texts are equal but for case", bytes.EqualFold),
			test("starts_with", "ss", "the text begins with", func(b, p []byte) bool { return len(p) > 0 && bytes.HasPrefix(b, p) }),
			test("ends_with", "ss", "the text ends with", func(b, p []byte) bool { return len(p) > 0 && bytes.HasSuffix(b, p) }),
			run("str_find", "ss", any, "where the text has another, counted from 1", find(false)),
			run("str_ifind", "ss", any, "the same in any case", find(true)),
			test("str_any_in", "ss", "a character of the list is in the text", anyIn),
			test("str_all_in", "ss", "all characters of the text are in the list", allIn),
			run("search_str", "ss", any, "the expression matches a text", searchText),
		},
		Trans: []route.Trans{{Class: "re", Methods: []route.TransMethod{{Name: "subst", Args: "/expression/replacement/flags", Example: "/^0/+49/", Doc: "the value with what the expression matches replaced; flags i and g"}}, Bind: bindSubst, Doc: "regular expressions on a value"}},
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return -1
}

func find(anyCase bool) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		b, ok1 := a.Str(c, 0)
		p, ok2 := a.Str(c, 1)
		if !ok1 || !ok2 || len(p) == 0 {
			return -1
		}
		for i := 0; i+len(p) <= len(b); i++ {
			if s := b[i : i+len(p)]; bytes.Equal(s, p) || anyCase && bytes.EqualFold(s, p) {
				return i + 1
			}
		}
		return -1
	}
}

func anyIn(b, set []byte) bool {
	for _, ch := range b {
		if bytes.IndexByte(set, ch) >= 0 {
			return true
		}
	}
	return false
}

func allIn(b, set []byte) bool {
	for _, ch := range b {
		if bytes.IndexByte(set, ch) < 0 {
			return false
		}
	}
	return len(b) > 0
}

func inList(is func(b, item []byte) bool) func(c *route.Ctx, a *route.Args) int {
	return func(c *route.Ctx, a *route.Args) int {
		b, ok1 := a.Str(c, 0)
		list, ok2 := a.Str(c, 1)
		sep, ok3 := a.Str(c, 2)
		if !ok1 || !ok2 || !ok3 || len(b) == 0 || len(sep) == 0 {
			return -1
		}
		for item := range bytes.SplitSeq(list, sep[:1]) {
			if item = bytes.TrimSpace(item); len(item) > 0 && is(b, item) {
				return 1
			}
		}
		return -1
	}
}

// isPrivacy looks for one of the values of Privacy.
func isPrivacy(c *route.Ctx, a *route.Args) int {
	want := a.At(0).Text
	for h := c.Msg.First(sipparse.HdrPrivacy); h != nil; h = c.Msg.NextOf(h) {
		for v := range bytes.FieldsFuncSeq(c.Msg.Bytes(h.Body), func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
			if bytes.EqualFold(v, want) {
				return 1
			}
		}
	}
	return -1
}

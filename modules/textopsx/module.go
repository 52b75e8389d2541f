// Package textopsx rebuilds messages with their pending edits, walks header fields, and edits what textops does not.
package textopsx

import (
	"kahea/cfglang/route"
	"kahea/modules"
)

func init() {
	modules.Register("textopsx", func() modules.Module { return &mod{} })
}

var _ modules.Module = (*mod)(nil)

type mod struct {
	iters []string // names of header iterators, by place in the message's word
}

func (m *mod) Exports() modules.Exports {
	any := route.AnyRoute
	apply := route.InRequest | route.AnyReply
	return modules.Exports{
		Funcs: []route.Func{
			{Name: "msg_apply_changes", From: apply, Run: applyChanges, Doc: "rebuild the message with all edits and the new R-URI, so that tests and variables see them"},
			{Name: "change_reply_status", Args: "is", From: route.AnyReply, Run: changeStatus, Doc: "code and reason of the reply that is passed on; the class of 1xx and 2xx can not change"},
			{Name: "change_reply_status_code", Args: "i", From: route.AnyReply, Run: changeStatus, Doc: "its code only"},
			{Name: "remove_body", From: any, Run: removeBody, Doc: "drop the body"},
			{Name: "keep_hf", Args: "|S", From: any, Compile: compileKeep, Doc: "remove all headers but the ones that every message needs, and those whose name matches; the result is always -1, as in Kamailio"},
			{Name: "fnmatch", Args: "ss|s", From: any, Run: fnmatch, Doc: "the text matches a pattern with * ? and [...]; i: in any case"},
			{Name: "hf_iterator_start", Args: "S", From: any, Compile: m.iterator(start), Doc: "begin a walk over the headers, under a name"},
			{Name: "hf_iterator_next", Args: "S", From: any, Compile: m.iterator(next), Doc: "go to the next header; false at the end"},
			{Name: "hf_iterator_prev", Args: "S", From: any, Compile: m.iterator(prev), Doc: "go to the header before; false at the beginning"},
			{Name: "hf_iterator_end", Args: "S", From: any, Compile: m.iterator(end), Doc: "end the walk"},
			{Name: "hf_iterator_rm", Args: "S", From: any, Compile: m.iterator(remove), Doc: "remove the header"},
			{Name: "hf_iterator_append", Args: "Ss", From: any, Compile: m.iterator(appendText), Doc: "put header text behind it"},
			{Name: "hf_iterator_insert", Args: "Ss", From: any, Compile: m.iterator(insertText), Doc: "put header text before it"},
		},
		Vars: []route.Var{
			{Name: "hfitname", Bind: m.bindIter(false), Doc: "name of the header at which a walk stands; null outside"},
			{Name: "hfitbody", Bind: m.bindIter(true), Doc: "its body"},
		},
	}
}

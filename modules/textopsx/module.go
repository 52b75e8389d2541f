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
	iters, lines names // of walks over header fields and over lines of the body
}

func (m *mod) Exports() modules.Exports {
	any := route.AnyRoute
	apply := route.InRequest | route.AnyReply
	values := route.InRequest | route.AnyReply | route.InFailure | route.InBranch
	return modules.Exports{
		Funcs: []route.Func{
			{Name: "msg_apply_changes", From: apply, Run: applyChanges, Doc: "rebuild the message with all edits and the new R-URI, so that tests and variables see them"},
			{Name: "change_reply_status", Args: "is", From: route.AnyReply, Run: changeStatus, Doc: "code and reason of the reply that is passed on; the class of 1xx and 2xx can not change"},
			{Name: "change_reply_status_code", Args: "i", From: route.AnyReply, Run: changeStatus, Doc: "its code only"},
			{Name: "remove_body", From: any, Run: removeBody, Doc: "drop the body"},
			{Name: "keep_hf", Args: "|S", From: any, Compile: compileKeep, Doc: "remove all headers but the ones that every message needs, and those whose name matches; the result is always -1, as in Kamailio"},
			{Name: "fnmatch", Args: "ss|s", From: any, Run: fnMatch, Doc: "the text matches a pattern with * ? and [...]; i: in any case"},
			{Name: "hf_iterator_start", Args: "S", From: any, Compile: m.iters.walk(start), Doc: "begin a walk over the headers, under a name"},
			{Name: "hf_iterator_next", Args: "S", From: any, Compile: m.iters.walk(next), Doc: "go to the next header; false at the end"},
			{Name: "hf_iterator_prev", Args: "S", From: any, Compile: m.iters.walk(prev), Doc: "go to the header before; false at the beginning"},
			{Name: "hf_iterator_end", Args: "S", From: any, Compile: m.iters.walk(end), Doc: "end the walk"},
			{Name: "hf_iterator_rm", Args: "S", From: any, Compile: m.iters.walk(remove), Doc: "remove the header"},
			{Name: "hf_iterator_append", Args: "Ss", From: any, Compile: m.iters.walk(appendText), Doc: "put header text behind it"},
			{Name: "hf_iterator_insert", Args: "Ss", From: any, Compile: m.iters.walk(insertText), Doc: "put header text before it"},
			{Name: "bl_iterator_start", Args: "S", From: any, Compile: m.lines.walk(lineStart), Doc: "begin a walk over the lines of the body, under a name"},
			{Name: "bl_iterator_next", Args: "S", From: any, Compile: m.lines.walk(lineNext), Doc: "go to the next line; false at the end"},
			{Name: "bl_iterator_end", Args: "S", From: any, Compile: m.lines.walk(lineEnd), Doc: "end the walk"},
			{Name: "bl_iterator_rm", Args: "S", From: any, Compile: m.lines.walk(lineRemove), Doc: "remove the line"},
			{Name: "bl_iterator_append", Args: "Ss", From: any, Compile: m.lines.walk(lineAppend), Doc: "put text behind it"},
			{Name: "bl_iterator_insert", Args: "Ss", From: any, Compile: m.lines.walk(lineInsert), Doc: "put text before it"},
			{Name: "append_hf_value", Args: "Ss", From: values, Compile: bindPlace(appendValue), Doc: "put a value behind name[index], or a new field at the end"},
			{Name: "insert_hf_value", Args: "Ss", From: values, Compile: bindPlace(insertValue), Doc: "put a value before name[index], or a new field before the first one"},
			{Name: "remove_hf_value", Args: "S", From: values, Compile: bindPlace(removeValue), Doc: "remove the value name[index], its .parameter, or all fields ([*])"},
			{Name: "assign_hf_value", Args: "Ss", From: values, Compile: bindPlace(assignValue), Doc: "replace the value name[index] or its .parameter"},
			{Name: "remove_hf_value2", Args: "S", From: values, Compile: bindPlace(removeValue2), Doc: "remove a field whose value holds commas (Authorization), or its .parameter"},
			{Name: "assign_hf_value2", Args: "Ss", From: values, Compile: bindPlace(assignValue2), Doc: "replace the body of such a field, or its .parameter"},
			{Name: "include_hf_value", Args: "Ss", From: values, Compile: bindPlace(includeValue), Doc: "add a value if no field has it"},
			{Name: "exclude_hf_value", Args: "Ss", From: values, Compile: bindPlace(excludeValue), Doc: "remove a value from all fields"},
			{Name: "hf_value_exists", Args: "Ss", From: values, Compile: bindPlace(valueExists), Doc: "a field has the value, in any case"},
			{Name: "msg_set_buffer", Args: "s", From: apply, Run: setBuffer, Doc: "another message in the place of this one, before there is a transaction; edits and the new R-URI are forgotten"},
			{Name: "msg_changed_route", Args: "S", From: any, Compile: compileChanged, Doc: "run a route that sees the message with all edits made; what it changes itself is forgotten"},
		},
		Vars: []route.Var{
			{Name: "hfitname", Bind: m.bindIter(false), Doc: "name of the header at which a walk stands; null outside"},
			{Name: "blitval", Bind: m.bindLine, Doc: "line of the body at which a walk stands, with its line end; null outside"},
			{Name: "hfitbody", Bind: m.bindIter(true), Doc: "its body"},
		},
	}
}

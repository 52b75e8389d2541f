package syntax

func (*CallStmt) stmt()   {}
func (*AssignStmt) stmt() {}
func (*Ctl) stmt()        {}
func (*If) stmt()         {}
func (*While) stmt()      {}
func (*Switch) stmt()     {}
func (*Block) stmt()      {}
func (*Empty) stmt()      {}

// Position is the place of the node's first token (of the operator for Binary).
func (s *CallStmt) Position() Pos   { return s.Call.Pos }
func (s *AssignStmt) Position() Pos { return s.Pos }
func (s *Ctl) Position() Pos        { return s.Pos }
func (s *If) Position() Pos         { return s.Pos }
func (s *While) Position() Pos      { return s.Pos }
func (s *Switch) Position() Pos     { return s.Pos }
func (b *Block) Position() Pos      { return b.Pos }
func (s *Empty) Position() Pos      { return s.Pos }

func (*IntLit) expr()      {}
func (*StrLit) expr()      {}
func (*PV) expr()          {}
func (*Avp) expr()         {}
func (*Select) expr()      {}
func (*Call) expr()        {}
func (*URIPart) expr()     {}
func (*BlockExpr) expr()   {}
func (*ParenAssign) expr() {}
func (*Cond) expr()        {}
func (*Addr) expr()        {}
func (*Unary) expr()       {}
func (*Binary) expr()      {}
func (*SelVal) expr()      {}

func (e *IntLit) Position() Pos      { return e.Pos }
func (e *StrLit) Position() Pos      { return e.Pos }
func (e *PV) Position() Pos          { return e.Pos }
func (e *Avp) Position() Pos         { return e.Pos }
func (e *Select) Position() Pos      { return e.Pos }
func (e *Call) Position() Pos        { return e.Pos }
func (e *URIPart) Position() Pos     { return e.Pos }
func (e *BlockExpr) Position() Pos   { return e.Block.Pos }
func (e *ParenAssign) Position() Pos { return e.Assign.Pos }
func (e *Cond) Position() Pos        { return e.Pos }
func (e *Addr) Position() Pos        { return e.Pos }
func (e *Unary) Position() Pos       { return e.Pos }
func (e *Binary) Position() Pos      { return e.Pos }
func (e *SelVal) Position() Pos      { return e.Pos }

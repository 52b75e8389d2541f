package route

// Stmt is a compiled statement or block: it yields the code of its last action. Flow tells whether what follows still runs.
type Stmt func(c *Ctx) int

// Flow says why a block stopped early.
type Flow uint8

const (
	FlowBreak Flow = 1 << iota
	FlowReturn
	FlowExit
	FlowDrop // with FlowExit: drop
)

// Route is a compiled block.
type Route struct {
	Name string
	Kind Mask
	Body Stmt
	ID   uint64 // hash of kind and name: what shared memory may keep (it survives a reload, an index would not)
}

// Program is a compiled configuration's routing part. It is immutable.
type Program struct {
	Request   *Route // nil: there is none
	Reply     *Route // core reply_route
	OnSend    *Route
	Named     []*Route // route[X], failure, onreply, branch, event routes
	DefaultOf map[Mask]*Route
}

// Find is a named block; nil if there is none. It is for set-up and dynamic names.
func (p *Program) Find(kind Mask, name string) *Route {
	for _, r := range p.Named {
		if r.Kind == kind && r.Name == name {
			return r
		}
	}
	return nil
}

// ByID finds a block by the ID that shared memory keeps.
func (p *Program) ByID(id uint64) *Route {
	if id == 0 {
		return nil
	}
	for _, r := range p.Named {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// RouteID is the ID of a block.
func RouteID(kind Mask, name string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range [2]byte{byte(kind), byte(kind >> 8)} {
		h = (h ^ uint64(b)) * 1099511628211
	}
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	if h == 0 {
		h = 1
	}
	return h
}

// RunTop runs a top-level block of the given kind: it returns the block's code and how it ended. Flow and depth are fresh.
func (c *Ctx) RunTop(r *Route, kind Mask) (code int, flow Flow) {
	oldKind, oldFlow, oldDepth, oldAt, oldFlags := c.Kind, c.Flow, c.depth, c.At, c.SFlags
	if kind != InOnSend {
		c.SFlags = 0
	}
	c.Kind, c.Flow, c.depth = kind, 0, 0
	code = r.Body(c)
	flow = c.Flow
	c.Kind, c.Flow, c.depth, c.At, c.SFlags = oldKind, oldFlow, oldDepth, oldAt, oldFlags
	if c.refused {
		c.Flow |= FlowExit | FlowDrop // whatever block was to wait: the message has been dealt with
	}
	return code, flow
}

// Call runs route(X): return and break end with it, exit and drop go on up. It sets $rc.
func (c *Ctx) Call(r *Route) int {
	if !c.Enter() {
		return -1
	}
	code := r.Body(c)
	c.Leave()
	if c.Flow&FlowReturn != 0 && code == 0 {
		c.Flow |= FlowExit
	}
	c.Flow &^= FlowReturn | FlowBreak
	c.RC = int64(code)
	return code
}

// Enter counts a nested block; false when max_recursive_level is exceeded.
func (c *Ctx) Enter() bool {
	if c.depth >= c.P.Par.MaxRecursive {
		c.Error("too many nested blocks (max_recursive_level %d)", c.P.Par.MaxRecursive)
		return false
	}
	c.depth++
	return true
}

// Leave ends what Enter began.
func (c *Ctx) Leave() { c.depth-- }

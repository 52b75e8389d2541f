package route

// CfgGroup is a group of the run-time configuration that has instances; one a group and program.
type CfgGroup struct {
	Name string
	N    uint32 // number of the group
	// Has says whether there is an instance.
	Has func(id uint32) bool
}

// selection is an instance that cfg_select() has chosen; it holds until the message ends.
type selection struct {
	group *CfgGroup
	id    uint32
}

// Select makes variables of g those of an instance; false: it does not exist, and the choice stays what it was.
func (c *Ctx) Select(g *CfgGroup, id uint32) bool {
	if !g.Has(id) {
		return false
	}
	for i := range c.selected {
		if c.selected[i].group == g {
			c.selected[i].id = id
			return true
		}
	}
	c.selected = append(c.selected, selection{g, id})
	return true
}

// Unselect makes variables of g the group's own.
func (c *Ctx) Unselect(g *CfgGroup) {
	for i := range c.selected {
		if c.selected[i].group == g {
			c.selected[i] = c.selected[len(c.selected)-1]
			c.selected = c.selected[:len(c.selected)-1]
			return
		}
	}
}

// Selected is the instance of g that was chosen; ok is false when none was.
func (c *Ctx) Selected(g *CfgGroup) (id uint32, ok bool) {
	for i := range c.selected {
		if c.selected[i].group == g {
			return c.selected[i].id, true
		}
	}
	return 0, false
}

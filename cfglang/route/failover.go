package route

import "errors"

// ResolveNext is Resolve for a name some of whose places have been tried (RFC 3263 section 4.3). A literal address has no other.
func (c *Ctx) ResolveNext(t Target, forced *Socket, tried []Place) (Dest, error) {
	if _, literal := ParseAddr(t.Host); literal {
		return Dest{}, ErrResolve
	}
	return c.resolve(t, forced, tried)
}

// forwardOn sends the request to the next places of a name, after the kernel has refused to send it to the first.
func (c *Ctx) forwardOn(t Target, first Place, index uint32) error {
	tried := []Place{first}
	for {
		d, err := c.ResolveNext(t, c.Main.ForceSock, tried)
		if err != nil {
			return ErrSendFailed
		}
		tried = append(tried, Place{d.Addr, d.Proto})
		d.Flags, d.Conn = c.FwdFlags, c.Main.OTCPID
		if err := c.forwardTo(d, index); !errors.Is(err, ErrSendFailed) {
			return err
		} else if !errors.Is(err, ErrBlocked) {
			c.P.Block(tried[len(tried)-1], BlockSend)
		}
	}
}

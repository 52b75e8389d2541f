package reactor

func (h *childHandler) receiveTCP(p *Packet) Verdict { return Done }

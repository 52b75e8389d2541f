package route

import "time"

// blockBegins is the time when a block begins, zero when nobody wants to know how long it takes (latency_cfg_log).
func (p *Proc) blockBegins() (t time.Time) {
	if p.Log.On(p.Par.LatencyCfgLog) {
		t = time.Now()
	}
	return t
}

// blockEnds logs how long a block took, waits included, when that is latency_limit_cfg at least.
func (p *Proc) blockEnds(began time.Time, what string) {
	if began.IsZero() {
		return
	}
	if took := time.Since(began).Microseconds(); took >= int64(p.Par.LatencyLimitCfg) {
		p.Log.Printf(p.Par.LatencyCfgLog, "<core>: ", "%s executed in: %d usec", what, took)
	}
}

// Timed runs a statement and logs it when it takes latency_limit_action or longer.
func (c *Ctx) Timed(f Stmt, at *Spot) int {
	began := time.Now()
	rc := f(c)
	p := &c.P.Par
	if took := time.Since(began).Microseconds(); took >= int64(p.LatencyLimitAction) && c.P.Log.On(p.LatencyLog) {
		c.P.Log.Printf(p.LatencyLog, "<core>: ", "alert - action [%s] cfg [%s:%d] took too long [%d us]", at.Name, at.File, at.Line, took)
	}
	return rc
}

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"kahea/perf/serve"
)

// row is one case's rounds, by server.
type row struct {
	Case    benchCase
	Results [][]result
}

// table is everything that was measured.
type table struct {
	Servers []serve.Server
	Stock   string
	Rows    []row
}

// Err joins the errors of all rounds.
func (t *table) Err() error {
	var errs []error
	for _, r := range t.Rows {
		for i, rounds := range r.Results {
			for n, x := range rounds {
				if x.Err != nil {
					errs = append(errs, fmt.Errorf("%s, round %d, %s: %w", r.Case.Name, n+1, t.Servers[i].Name, x.Err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// median over the rounds that did not fail; ok tells if there are any.
func median(rounds []result, f func(*result) float64) (v float64, ok bool) {
	var l []float64
	for i := range rounds {
		if rounds[i].Err == nil {
			l = append(l, f(&rounds[i]))
		}
	}
	if len(l) == 0 {
		return 0, false
	}
	slices.Sort(l)
	return (l[(len(l)-1)/2] + l[len(l)/2]) / 2, true
}

// metric is one figure of the table.
type metric struct {
	name string
	of   func(*result) float64
	fmt  string
}

var (
	cpuMetrics = []metric{
		{"CPU us", func(r *result) float64 { return r.perTransaction(r.Use.Total) }, "%.2f"},
		{"user us", func(r *result) float64 { return r.perTransaction(r.Use.User) }, "%.2f"},
		{"per second", func(r *result) float64 { return r.Load.Throughput() }, "%.0f"},
		{"loss %", func(r *result) float64 { return 100 * r.Load.LossShare() }, "%.3f"},
		{"again %", func(r *result) float64 { return 100 * float64(r.Load.Retransmits) / float64(max(1, r.Load.Started)) }, "%.3f"},
		{"p50 ms", func(r *result) float64 { return r.Load.Latency.Quantile(.5).Seconds() * 1e3 }, "%.3f"},
		{"p99 ms", func(r *result) float64 { return r.Load.Latency.Quantile(.99).Seconds() * 1e3 }, "%.3f"},
	}
	otherMetrics = map[kind]metric{
		ringing:  {"bytes", func(r *result) float64 { return r.Bytes }, "%.0f"},
		contacts: {"bytes", func(r *result) float64 { return r.Bytes }, "%.0f"},
		idle:     {"ms/s", func(r *result) float64 { return r.Idle.Seconds() * 1e3 }, "%.3f"},
		starting: {"ms", func(r *result) float64 { return r.Start.Seconds() * 1e3 }, "%.0f"},
	}
)

// String is the table as Markdown: one for CPU, one for the rest. Ratios are kahea's figure over Kamailio's.
func (t *table) String() string {
	head, rest := []string{"scenario"}, []string{"scenario"}
	for i, s := range t.Servers {
		for _, m := range cpuMetrics {
			head = append(head, s.Name+" "+m.name)
		}
		rest = append(rest, s.Name)
		if i == 1 {
			head = slices.Insert(head, 1, "ratio CPU", "ratio user")
			rest = append(rest, "ratio")
		}
	}
	cpuRows, restRows := [][]string{head}, [][]string{append(rest, "unit")}
	var failed []string
	for _, r := range t.Rows {
		line := []string{r.Case.Name}
		one, other := otherMetrics[r.Case.Kind]
		ms := cpuMetrics
		if other {
			ms = []metric{one}
		}
		var vals [][]float64
		for i := range t.Servers {
			var v []float64
			for _, m := range ms {
				x, ok := median(r.Results[i], m.of)
				if !ok {
					v = nil
					break
				}
				v = append(v, x)
			}
			vals = append(vals, v)
			if v == nil {
				failed = append(failed, fmt.Sprintf("%s: %s failed: %v", r.Case.Name, t.Servers[i].Name, r.Results[i][0].Err))
			}
			for k, m := range ms {
				if v == nil {
					line = append(line, "-")
				} else {
					line = append(line, fmt.Sprintf(m.fmt, v[k]))
				}
			}
		}
		ratio := func(k int) string {
			if vals[0] == nil || vals[1] == nil || vals[1][k] == 0 {
				return "-"
			}
			return fmt.Sprintf("%.2f", vals[0][k]/vals[1][k])
		}
		switch {
		case other && len(t.Servers) == 2:
			restRows = append(restRows, append(line, ratio(0), one.name))
		case other:
			restRows = append(restRows, append(line, one.name))
		case len(t.Servers) == 2:
			cpuRows = append(cpuRows, slices.Insert(line, 1, ratio(0), ratio(1)))
		default:
			cpuRows = append(cpuRows, line)
		}
	}
	var b strings.Builder
	for _, rows := range [][][]string{cpuRows, restRows} {
		if len(rows) > 1 {
			b.WriteString(markdown(rows) + "\n")
		}
	}
	for _, f := range failed {
		b.WriteString("- " + f + "\n")
	}
	return b.String()
}

// markdown writes rows as a table; the first is the heading.
func markdown(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, s := range r {
			width[i] = max(width[i], utf8.RuneCountInString(s))
		}
	}
	var b strings.Builder
	for n, r := range rows {
		for i, s := range r {
			if i == 0 {
				fmt.Fprintf(&b, "| %-*s |", width[i], s)
			} else {
				fmt.Fprintf(&b, " %*s |", width[i], s)
			}
		}
		b.WriteByte('\n')
		if n == 0 {
			for i, w := range width {
				if i == 0 {
					fmt.Fprintf(&b, "|%s|", strings.Repeat("-", w+2))
				} else {
					fmt.Fprintf(&b, "%s:|", strings.Repeat("-", w+1))
				}
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

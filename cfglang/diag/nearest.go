package diag

import "strings"

// Nearest returns the one of names that is most like name (Damerau-Levenshtein distance, case ignored), or "" if none is
// near: at most a third of the longer name may differ. Of several at the same distance the one wins whose case fits better, then the first.
func (l *List) Nearest(name string, names []string) string { return Nearest(name, names) }

// Nearest is List.Nearest for callers without a list.
func Nearest(name string, names []string) string {
	best, bestDist, bestExact := "", 1<<30, 1<<30
	low := strings.ToLower(name)
	for _, n := range names {
		limit := max(len(name), len(n)) / 3
		if limit == 0 || len(n)-len(name) > limit || len(name)-len(n) > limit {
			continue
		}
		d := distance(low, strings.ToLower(n))
		if d > limit || d > bestDist {
			continue
		}
		if exact := distance(name, n); d < bestDist || exact < bestExact {
			best, bestDist, bestExact = n, d, exact
		}
	}
	return best
}

// distance counts insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
func distance(a, b string) int {
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

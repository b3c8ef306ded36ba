package bench

import (
	"fmt"
	"slices"
	"time"
)

// alternation is the result of two commands run in turn: their medians, and the median of the
// ratios of the pairs.
type alternation struct {
	first, second time.Duration
	ratio         float64
}

// alternate calls both functions in turn, b.runs times, after one pair to warm up.
func (b *benchmark) alternate(first, second func() (time.Duration, error)) (alternation, error) {
	return b.pairs(-1, first, second)
}

// pairs is alternate without the pair to warm up, if begin is 0.
func (b *benchmark) pairs(begin int, first, second func() (time.Duration, error)) (alternation, error) {
	var firsts, seconds []time.Duration
	var ratios []float64
	for i := begin; i < b.runs; i++ {
		x, err := first()
		if err != nil {
			return alternation{}, err
		}
		y, err := second()
		if err != nil {
			return alternation{}, err
		}
		if i >= 0 {
			firsts, seconds, ratios = append(firsts, x), append(seconds, y),
				append(ratios, y.Seconds()/x.Seconds())
		}
	}
	slices.Sort(firsts)
	slices.Sort(seconds)
	slices.Sort(ratios)
	middle := b.runs / 2
	return alternation{firsts[middle], seconds[middle], ratios[middle]}, nil
}

// row returns a line of a table: both medians, the ratio, and its limit.
func (a alternation) row(what string, limit float64) string {
	return fmt.Sprintf("%s\t%.3fs\t%.3fs\t%.2f\t%.2f\n", what, a.first.Seconds(), a.second.Seconds(), a.ratio,
		limit)
}

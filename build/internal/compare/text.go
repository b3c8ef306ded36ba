package compare

import (
	"regexp"
	"strconv"
	"strings"
)

// maximum number of characters shown of a value
const shown = 160

// short returns printable text, shortened if it is long.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if !strconv.IsPrint(r) {
			return '.'
		}
		return r
	}, strings.ToValidUTF8(s, "."))
	if runes := []rune(s); len(runes) > shown {
		return string(runes[:shown-1]) + "…"
	}
	return s
}

// none represents a missing value.
const none = "-"

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

// clock matches times: dates, with or without a time, and seconds since 1970 from 2017 to 2033.
var clock = regexp.MustCompile(
	`(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T _]?[0-2]\d:?[0-5]\d(?::?[0-5]\d(?:\.\d+)?)?)?|` +
		`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\d{1,2} )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)` +
		`[ 0-9:]{2,20}|` +
		`(?:20\d\d)[01]\d[0-3]\d[T_-]?[0-2]\d[0-5]\d[0-5]\d|\b1[5-9]\d{8}(?:\d{3}|\d{9})?\b`)

// times returns the first times in two texts that differ.
func times(a, b string) (string, bool) {
	x, y := clock.FindAllString(a, -1), clock.FindAllString(b, -1)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + " / " + y[i], true
		}
	}
	return "", false
}

// Package filemode reads the modes of chmod and of COPY --chmod.
package filemode

import (
	"strconv"
	"strings"
)

// Octal returns the mode of an octal number, such as 0755.
func Octal(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 8, 32)
	return uint32(n), err == nil && n <= 0o7777
}

// Symbolic returns what a symbolic mode, such as u+x,go-w, makes of a mode.
func Symbolic(spec string, mode uint32) (uint32, bool) {
	for part := range strings.SplitSeq(spec, ",") {
		at := strings.IndexAny(part, "+-=")
		if at < 0 {
			return 0, false
		}
		who, op, perm := part[:at], part[at], part[at+1:]
		if who == "" || strings.Contains(who, "a") {
			who = "ugo"
		}
		var bits uint32
		for _, p := range perm {
			switch p {
			case 'r':
				bits |= 4
			case 'w':
				bits |= 2
			case 'x':
				bits |= 1
			case 'X':
				if mode&0o111 != 0 {
					bits |= 1
				}
			default:
				return 0, false
			}
		}
		for _, w := range who {
			shift, ok := map[rune]uint32{'u': 6, 'g': 3, 'o': 0}[w]
			if !ok {
				return 0, false
			}
			switch op {
			case '+':
				mode |= bits << shift
			case '-':
				mode &^= bits << shift
			default:
				mode = mode&^(7<<shift) | bits<<shift
			}
		}
	}
	return mode, true
}

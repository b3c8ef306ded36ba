package ldflags

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Refused is the error of Check: a word that a rebuild must not give to the linker.
type Refused struct {
	// Word is the word, Reason says why it is refused.
	Word, Reason string
	// Final says that no allowance changes that.
	Final bool
}

func (e *Refused) Error() string { return fmt.Sprintf("linker flag %q: %s", e.Word, e.Reason) }

// The flags that change nothing but the binary, by their names. The linker has some
// more; those that nobody knows to be harmless are not here.
var (
	// alone take no value but -name=true and the like.
	alone = []string{"s", "w", "checklinkname", "compressdwarf"}
	// valued take a value, in the same word after "=", or as the next word.
	valued = map[string]func(value string) bool{
		"X":        definition,
		"buildid":  func(string) bool { return true },
		"B":        regexp.MustCompile(`^(0x[0-9a-fA-F]+|gobuildid|none)$`).MatchString,
		"linkmode": func(value string) bool { return value == "internal" },
	}
)

// definition is what the linker takes for -X: importpath.name=value.
func definition(value string) bool {
	name, _, ok := strings.Cut(value, "=")
	return ok && strings.Contains(name, ".")
}

// Check returns a *Refused for the first word that a rebuild must not give to the
// linker. allowed are further words that are allowed, such as "-H=windowsgui"; one
// without "=" allows its flag with every value. A word that begins with "@" is always
// refused: the linker would read more words from that file.
func Check(words, allowed []string) error {
	for _, w := range words {
		switch {
		case strings.HasPrefix(w, "@"):
			return &Refused{Word: w, Reason: "the linker would read more flags from that file", Final: true}
		case strings.ContainsRune(w, 0):
			return &Refused{Word: w, Reason: "it has a NUL byte", Final: true}
		}
	}
	// The go command must give the linker these words and no others.
	joined, err := Join(words)
	if err != nil {
		return &Refused{Word: strings.Join(words, " "), Reason: err.Error(), Final: true}
	}
	if again, err := Split(joined); err != nil || !slices.Equal(again, words) {
		return &Refused{Word: joined, Reason: "the go command would split these words in another way", Final: true}
	}
	return check(words, allowed)
}

// check looks at the words from the last to the first: what follows a word is known to be
// allowed, or not, when the word is looked at.
func check(words, allowed []string) error {
	from := make([]error, len(words)+2) // what is wrong with the words from an index on
	for i := len(words) - 1; i >= 0; i-- {
		from[i] = checkFirst(words[i:], allowed, from[i+1], from[i+2])
	}
	return from[0]
}

// checkFirst checks words whose rest after the first, and after the second, is known.
func checkFirst(words, allowed []string, afterFirst, afterSecond error) error {
	w := words[0]
	name, value, has := parse(w)
	test := valued[name]
	switch {
	case name == "":
		return &Refused{Word: w, Reason: "it is no flag, so that the linker would take it for a file", Final: true}
	case permits(allowed, w, name):
		// Nobody knows here whether the next word is the flag's value: both must be allowed.
		if !has {
			afterFirst = cmp.Or(afterFirst, afterSecond)
		}
		return afterFirst
	case slices.Contains(alone, name):
		if _, err := strconv.ParseBool(value); has && err != nil {
			return &Refused{Word: w, Reason: "its value is neither true nor false"}
		}
		return afterFirst
	case test == nil:
		return &Refused{Word: w, Reason: "it may start a program here, or read or write a file"}
	case has:
		if !test(value) {
			return &Refused{Word: w, Reason: "a rebuild does not use it with this value"}
		}
		return afterFirst
	case len(words) == 1:
		return &Refused{Word: w, Reason: "its value is missing"}
	case !test(words[1]):
		return &Refused{Word: w + " " + words[1], Reason: "a rebuild does not use it with this value"}
	}
	return afterSecond
}

// parse splits a word as package flag does, which the linker uses. name is empty for a
// word that is no flag.
func parse(word string) (name, value string, has bool) {
	rest, ok := strings.CutPrefix(word, "-")
	if !ok {
		return "", "", false
	}
	rest = strings.TrimPrefix(rest, "-")
	if strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "=") {
		return "", "", false
	}
	return strings.Cut(rest, "=")
}

// permits says whether an allowance is for this word, or for its flag with any value.
func permits(allowed []string, word, name string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		a = "-" + strings.TrimLeft(a, "-")
		return a == "-"+strings.TrimLeft(word, "-") || a == "-"+name
	})
}

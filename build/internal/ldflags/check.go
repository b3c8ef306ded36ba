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

// The flags that change only the binary, by name. The linker has some more, which are not known
// to be harmless.
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

// definition checks the linker's format for -X: importpath.name=value.
func definition(value string) bool {
	name, _, ok := strings.Cut(value, "=")
	return ok && strings.Contains(name, ".")
}

// Check returns a *Refused for the first word that a rebuild must not pass to the linker. allowed
// are further allowed words, such as "-H=windowsgui"; one without "=" allows its flag with every
// value. A word that begins with "@" is always refused: the linker would read more words from
// that file.
func Check(words, allowed []string) error {
	for _, w := range words {
		switch {
		case strings.HasPrefix(w, "@"):
			return &Refused{Word: w, Reason: "the linker would read more flags from that file", Final: true}
		case strings.ContainsRune(w, 0):
			return &Refused{Word: w, Reason: "it has a NUL byte", Final: true}
		}
	}
	// The go command must pass exactly these words to the linker.
	joined, err := Join(words)
	if err != nil {
		return &Refused{Word: strings.Join(words, " "), Reason: err.Error(), Final: true}
	}
	if again, err := Split(joined); err != nil || !slices.Equal(again, words) {
		return &Refused{Word: joined, Reason: "the go command would split these words in another way",
			Final: true}
	}
	return check(words, allowed)
}

// check checks the words from the last to the first, so that the result for the following words
// is known.
func check(words, allowed []string) error {
	from := make([]error, len(words)+2) // the errors of the words from an index on
	for i := len(words) - 1; i >= 0; i-- {
		from[i] = checkFirst(words[i:], allowed, from[i+1], from[i+2])
	}
	return from[0]
}

// checkFirst checks words; the results for the words after the first, and after the second, are
// known.
func checkFirst(words, allowed []string, afterFirst, afterSecond error) error {
	w := words[0]
	name, value, has := parse(w)
	test := valued[name]
	switch {
	case name == "":
		return &Refused{Word: w, Reason: "it is not a flag, so the linker would read it as a file",
			Final: true}
	case permits(allowed, w, name):
		// It is unknown whether the next word is the flag's value: both must be allowed.
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
			return &Refused{Word: w, Reason: "a rebuild does not accept this value"}
		}
		return afterFirst
	case len(words) == 1:
		return &Refused{Word: w, Reason: "its value is missing"}
	case !test(words[1]):
		return &Refused{Word: w + " " + words[1], Reason: "a rebuild does not accept this value"}
	}
	return afterSecond
}

// parse splits a word as package flag does, which the linker uses. name is empty for a word that
// is not a flag.
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

// permits says whether an allowance allows this word, or its flag with any value.
func permits(allowed []string, word, name string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		a = "-" + strings.TrimLeft(a, "-")
		return a == "-"+strings.TrimLeft(word, "-") || a == "-"+name
	})
}

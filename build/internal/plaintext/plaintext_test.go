package plaintext

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"linux/amd64":                     "linux/amd64",
		"größer — 漢字 🎉":                   "größer — 漢字 🎉",
		`C:\temp\x`:                       `C:\temp\x`,
		"linux\x1b[2J\x1b[H":              `linux\x1b[2J\x1b[H`,
		"a\n  passed  index\r\n":          `a\n  passed  index\r\n`,
		"tab\tbell\a\b\v\f\x00":           `tab\tbell\a\b\v\f\x00`,
		"del\x7f":                         `del\x7f`,
		"c1\u009b2J\u0085":                `c1\u009b2J\u0085`,
		"\u2028line\u2029paragraph":       `\u2028line\u2029paragraph`,
		"\u202egnp.exe\u202c\u2066\u2069": `\u202egnp.exe\u202c\u2066\u2069`,
		"\u200e\u200f\u061c":              `\u200e\u200f\u061c`,
		"\ufeffbom\u200bzero":             `\ufeffbom\u200bzero`,
		"tag\U000e0041":                   `tag\U000e0041`,
		"no-break\u00a0space\u3000":       `no-break\u00a0space\u3000`,
		"bad\xff\xc3utf-8\xed\xa0\x80":    `bad\xff\xc3utf-8\xed\xa0\x80`,
		"replaced\ufffd":                  `replaced�`,
		"::error::injected":               `:\:error:\:injected`,
		"  ::add-mask::x":                 `  :\:add-mask:\:x`,
		":::error":                        `:\:\:error`,
		"##[error]x":                      `#\#[error]x`,
		"###[error]":                      `#\#\#[error]`,
		"##vso[task.setvariable]":         `#\#vso[task.setvariable]`,
		"##teamcity[buildStatus]":         `#\#teamcity[buildStatus]`,
		"## heading":                      "## heading",
		"[::1]:5000/api":                  "[::1]:5000/api",
		"http://[fe80::1:2]/ and ::x":     `http://[fe80::1:2]/ and :\:x`,
		"[::error::]":                     `[:\:error:\:]`,
		"[fe80::1%::error]":               `[fe80:\:1%:\:error]`,
		"std::vector":                     `std:\:vector`,
	} {
		if got := Line(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

// Of all characters, those that are left can be seen and take one place in one line.
func TestEveryCharacter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		text := string(r)
		got := Line(text)
		if strings.ContainsFunc(got, func(r rune) bool { return !strconv.IsPrint(r) }) || !utf8.ValidString(got) {
			t.Fatalf("%U is %q", r, got)
		}
		if strconv.IsPrint(r) && r != utf8.RuneError && got != text {
			t.Fatalf("%U is changed to %q", r, got)
		}
	}
	for b := range 256 {
		if got := Line(string([]byte{byte(b)})); !utf8.ValidString(got) || got == "" {
			t.Errorf("the byte %x is %q", b, got)
		}
	}
}

// FuzzLine looks for text that is left dangerous.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"a", "::error::", "##[x", "##vso[", "[::1]", "\x1b[0m", "\xff", "\u202e", ":#:#[:", "::::", "####teamcity["} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, got := range map[string]string{"Line": Line(s), "Lines": Lines(s), "Markdown": Markdown(s), "Code": Code(s)} {
			for i, line := range strings.Split(got, "\n") {
				if name != "Lines" && i > 0 || i > 0 && !strings.HasPrefix(line, "  |") {
					t.Errorf("%s(%q) has a line of its own: %q", name, s, line)
				}
				if strings.ContainsFunc(line, func(r rune) bool { return !strconv.IsPrint(r) }) || !utf8.ValidString(line) {
					t.Errorf("%s(%q) is %q", name, s, line)
				}
				for _, c := range []string{"##[", "##vso[", "##teamcity["} {
					if strings.Contains(line, c) {
						t.Errorf("%s(%q) has %s", name, s, c)
					}
				}
				if strings.HasPrefix(strings.TrimSpace(line), "::") {
					t.Errorf("%s(%q) begins with a command: %q", name, s, line)
				}
			}
		}
	})
}

func TestLines(t *testing.T) {
	for in, want := range map[string]string{
		"one": "one",
		"build: failed\n./a.go:1:\tx\r\n\n::error::y\n": "build: failed\n  | ./a.go:1:    x\n  |\n  | :\\:error:\\:y",
		"a\x1b[1m\n  passed  index":                     "a\\x1b[1m\n  |   passed  index",
	} {
		if got := Lines(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	err := Error(fmt.Errorf("read \x1b: %w", fs.ErrNotExist))
	if err.Error() != `read \x1b: file does not exist` || !errors.Is(err, fs.ErrNotExist) || Error(nil) != nil {
		t.Errorf("the error is %q", err)
	}
}

type named struct{ name string }

func (n named) String() string { return n.name }

func TestFprintf(t *testing.T) {
	var b bytes.Buffer
	n, err := Fprintf(&b, "%s|%-4s|%d|%v|%v|%q|%s|%v\n", "a\n", "b", 7, named{"c\x1b"}, errors.New("d\r"), "e\t", Trusted("f\ng"), []string{"h\n::i"})
	want := `a\n|b   |7|c\x1b|d\r|"e\\t"|` + "f\ng" + `|[h\n:\:i]` + "\n"
	if b.String() != want || n != len(want) || err != nil {
		t.Errorf("wrote %q, %d, %v, want %q", b.String(), n, err, want)
	}
}

func TestMarkdown(t *testing.T) {
	for in, want := range map[string]string{
		"plain (text), 100 % - ok.":           "plain (text), 100 % - ok.",
		"<img src=x onerror=alert(1)> & `x`":  "&lt;img src=x onerror=alert(1)&gt; &amp; \\`x\\`",
		"[a](http://evil) ![b](c)":            `\[a\](http:\//evil) \!\[b\](c)`,
		"www.evil.example *b* _i_ ~s~ # | \\": `www\.evil.example \*b\* \_i\_ \~s\~ \# \| \\`,
		"two\nlines":                          `two\\nlines`,
		"::error::":                           `:\\:error:\\:`,
	} {
		if got := Markdown(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{"a:1": "`a:1`", "a`|b": "`a\\x60\\x7cb`", "a\n::b": "`a\\n:\\:b`"} {
		if got := Code(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

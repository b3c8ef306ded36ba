package yamlscalar

import (
	"errors"
	"strings"
	"testing"
)

// upper replaces words in angle brackets.
func upper(s Scalar) (string, bool, error) {
	if s.Value == "<fail>" {
		return "", false, errors.New("it fails")
	}
	return strings.ToUpper(strings.TrimSpace(s.Value)), strings.HasPrefix(strings.TrimSpace(s.Value), "<"), nil
}

func TestReplace(t *testing.T) {
	for src, want := range map[string]string{
		"a: <b>\n":                             "a: \"<B>\"\n", // not plain in every context
		"a: '<it''s>'\n":                       "a: '<IT''S>'\n",
		"a: \"<\\\"b\\\\\" # <c>\n":            "a: \"<\\\"B\\\\\" # <c>\n",
		"{a: <b>, <c>: d}":                     "{a: \"<B>\", \"<C>\": d}",
		"- &x <a>\n- *x\n":                     "- &x \"<A>\"\n- *x\n",
		"- |\n  <a>\n - # not a list\n":        "", // the parser refuses it
		"- >-\n\n    <a>\n\n# end\n- b\n":      "- \"<A>\"\n\n# end\n- b\n",
		"a: |-\n  <b>\r\n\r\n  \r\nc: <d>\r\n": "a: \"<B>\"\r\n\r\n  \r\nc: \"<D>\"\r\n",
		"a: \"<b>\n\n  c\"\n":                  "", // a line break is no printable ASCII
		"a: <b\n  c>\n":                        "", // on several lines
		"a: <fail>\n":                          "",
		"a: [\n":                               "",
		"":                                     "",
	} {
		got, _, err := Replace([]byte(src), upper)
		if want == "" && src != "" {
			if err == nil {
				t.Errorf("%q: no error, but %q", src, got)
			}
			continue
		}
		if err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", src, got, err, want)
		}
	}
}

// Every error names the line.
func TestErrors(t *testing.T) {
	for src, want := range map[string]string{
		"a: b\nc: <fail>\n":         "line 2: it fails",
		"a: b\nc: [\n":              "it is not YAML: line 2: ",
		"a: b\nc: <d\n e>\n":        "line 2: the text is on several lines without quotes",
		"a:\n|\n <x>\n":             "the text changes in another place, too: ",
		"\xff\xfea\x00":             "it is not YAML in UTF-8",
		"- a: &x <b>\n- <c>: *x\n":  "",
		"a: \"\\ud83d <x\"":         "it is not YAML: ",
		"a: [b: c: <d>]":            "it is not YAML: ",
		"<a>: b\n<b>: |\n\n\n  <c>": "",
	} {
		_, _, err := Replace([]byte(src), upper)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", src, err, want)
		}
	}
}

// Streams become one with the same documents.
func TestJoin(t *testing.T) {
	for _, test := range []struct {
		streams []string
		want    string
	}{
		{[]string{"\ufeffa: 1"}, "\ufeffa: 1"},
		{[]string{"a: 1", "b: 2\n"}, "a: 1\n---\nb: 2\n"},
		{[]string{"a: 1\n", "# comment\n--- # the second\nb: 2", "\ufeff{c: 3}"}, "a: 1\n# comment\n--- # the second\nb: 2\n---\n{c: 3}"},
		{[]string{"# nothing\n", "a: 1\n", "", "---\n---\n"}, "a: 1\n---\n---\n"},
		{[]string{"a: 1\r\n", "%YAML 1.1\r\n---\r\nb: 2\r\n"}, "a: 1\r\n...\n%YAML 1.1\r\n---\r\nb: 2\r\n"},
		{[]string{"a: &x 1\nb: *x\n", "a: &x 2\nb: *x\n"}, "a: &x 1\nb: *x\n---\na: &x 2\nb: *x\n"},
		{[]string{"a: 1\n...\n", "b: 2\n"}, "a: 1\n...\n---\nb: 2\n"},
	} {
		var streams [][]byte
		for _, s := range test.streams {
			streams = append(streams, []byte(s))
		}
		got, err := Join(streams)
		if err != nil || string(got) != test.want {
			t.Errorf("%q: %q, %v, want %q", test.streams, got, err, test.want)
		}
	}
	if _, err := Join([][]byte{[]byte("a: |\n  b"), []byte("c: 1")}); err == nil {
		t.Error("a text gains a line break, and there is no error")
	}
	if _, err := Join([][]byte{[]byte("a: ["), []byte("c: 1")}); !errors.Is(err, ErrSyntax) {
		t.Errorf("what is not YAML: %v", err)
	}
}

// A file of one line with many images takes as long as one with many lines.
func BenchmarkReplace(b *testing.B) {
	for name, separator := range map[string]string{"one line": " ", "many lines": "\n"} {
		b.Run(name, func(b *testing.B) {
			src := []byte("[" + strings.Repeat(`{"name": "x",`+separator+`"image": "<a>"},`+separator, 20_000) + "]")
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, n, err := Replace(src, upper); err != nil || n != 20_000 {
					b.Fatal(n, err)
				}
			}
		})
	}
}

package ldflags

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

func TestJoin(t *testing.T) {
	for _, words := range [][]string{
		{"-s", "-w"},
		{"-X", "main.date=yesterday or so"},
		{"-X=main.a=it's", `-X=main.b="b"`, ""},
		{"-X=main.a=one\rtwo", "-X=main.a=one\ntwo", "\t"},
		{`-X=main.json={"a":1}`},
		nil,
	} {
		joined, err := Join(words)
		if err != nil {
			t.Errorf("%q: %v", words, err)
			continue
		}
		if got, err := Split(joined); err != nil || !slices.Equal(got, words) {
			t.Errorf("%q becomes %s, which is %q, %v", words, joined, got, err)
		}
	}
	if _, err := Join([]string{`-X=main.a='" -o=/tmp/x "`}); err == nil || !strings.Contains(err.Error(), "both kinds of quotes") {
		t.Errorf("both kinds of quotes: %v", err)
	}
	if _, err := Split(`-X 'main.a`); err == nil {
		t.Error("a quote that does not end")
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		words   string // split at "|"
		allowed string
		refused string // the word; empty if all are allowed
	}{
		{words: "-s|-w"},
		{words: "--s|-w=false|-s=1"},
		{words: "-X=main.version=1.2.3|-X|example.com/a/b.c=d e|--X=main.x=-o=y"},
		{words: "-X|main.x=@file|-X=main.x={{.Version}}"},
		{words: "-buildid=|-buildid|x/y|-buildid=@"},
		{words: "-B=0x0123abCD|-B|0x00|-B=gobuildid|-B|none"},
		{words: "-checklinkname=0|-checklinkname|-compressdwarf=false|-compressdwarf"},
		{words: "-linkmode=internal|-linkmode|internal"},

		{words: "-o=/tmp/x", refused: "-o=/tmp/x"},
		{words: "--o=/tmp/x", refused: "--o=/tmp/x"},
		{words: "-o|/tmp/x", refused: "-o"},
		{words: `{{""}}-o=/tmp/x`, refused: `{{""}}-o=/tmp/x`},
		{words: "-s|-extld=/bin/sh", refused: "-extld=/bin/sh"},
		{words: "-extldflags|-fplugin=x.so", refused: "-extldflags"},
		{words: "-linkmode=external", refused: "-linkmode=external"},
		{words: "-linkmode|external", refused: "-linkmode external"},
		{words: "-linkmode", refused: "-linkmode"},
		{words: "-linkmode=", refused: "-linkmode="},
		{words: "-capturehostobjs=/tmp", refused: "-capturehostobjs=/tmp"},
		{words: "-cpuprofile=x", refused: "-cpuprofile=x"},
		{words: "-benchmarkprofile=x", refused: "-benchmarkprofile=x"},
		{words: "-fipso=x", refused: "-fipso=x"},
		{words: "-importcfg=x", refused: "-importcfg=x"},
		{words: "-L=/tmp", refused: "-L=/tmp"},
		{words: "-r=/tmp", refused: "-r=/tmp"},
		{words: "-I=/tmp/ld.so", refused: "-I=/tmp/ld.so"},
		{words: "-tmpdir=/tmp", refused: "-tmpdir=/tmp"},
		{words: "-B=main", refused: "-B=main"},
		{words: "-X|-o=/tmp/x", refused: "-X -o=/tmp/x"},
		{words: "-X=main=x", refused: "-X=main=x"},
		{words: "-X", refused: "-X"},
		{words: "-s=yes", refused: "-s=yes"},
		{words: "-s|main.a|-o=x", refused: "main.a"},
		{words: "-s|--|-o=x", refused: "--"},
		{words: "-s|-", refused: "-"},
		{words: "---s", refused: "---s"},
		{words: "-=x", refused: "-=x"},
		{words: "-s| -o=x", refused: " -o=x"},
		{words: "-s||-w", refused: ""},
		{words: "@/tmp/flags", refused: "@/tmp/flags", allowed: "@/tmp/flags"},
		{words: "-X|@/tmp/flags", refused: "@/tmp/flags"},
		{words: "-extldflags|@/tmp/flags", refused: "@/tmp/flags", allowed: "-extldflags"},
		{words: "-X=main.a=b\x00", refused: "-X=main.a=b\x00"},
		{words: `-X=main.a=b' " -o=x "`, refused: `-X=main.a=b' " -o=x "`},

		{words: "-H=windowsgui", allowed: "-H=windowsgui"},
		{words: "-H=windowsgui", allowed: "H"},
		{words: "-H=windows", allowed: "-H=windowsgui", refused: "-H=windows"},
		{words: "-v", allowed: "v"},
		{words: "-v|-s", allowed: "-v"},
		{words: "-extldflags|-static", allowed: "-extldflags", refused: "-static"},
		{words: "-extldflags|-static", allowed: "-extldflags,-static"},
		{words: "-extldflags|-X|-o=x", allowed: "-extldflags", refused: "-X -o=x"},
		{words: "-extldflags|-s|-o=main.x=y", allowed: "-extldflags", refused: "-o=main.x=y"},
		{words: "-extldflags|-X|-main.o=y", allowed: "-extldflags", refused: "-main.o=y"},
	} {
		var allowed []string
		if test.allowed != "" {
			allowed = strings.Split(test.allowed, ",")
		}
		err := Check(strings.Split(test.words, "|"), allowed)
		refused := new(Refused)
		switch {
		case test.words == "-s||-w":
			if !errors.As(err, &refused) || refused.Word != "" {
				t.Errorf("an empty word: %v", err)
			}
		case test.refused == "" && err != nil:
			t.Errorf("%q, allowed %q: %v", test.words, test.allowed, err)
		case test.refused != "" && (!errors.As(err, &refused) || refused.Word != test.refused):
			t.Errorf("%q, allowed %q: %v, want it to refuse %q", test.words, test.allowed, err, test.refused)
		}
	}
}

// The linker of this toolchain knows the flags that are allowed, and which of them take
// no value.
func TestLinkerKnows(t *testing.T) {
	out, _ := testtool.Command(t, "go", "tool", "link", "-h").CombinedOutput() // it ends with 2
	for _, name := range alone {
		if !strings.Contains(string(out), "\n  -"+name+"\t") && !strings.Contains(string(out), "\n  -"+name+"\n") {
			t.Errorf("the linker does not know -%s, or it takes a value:\n%s", name, out)
		}
	}
	for name := range valued {
		if !strings.Contains(string(out), "\n  -"+name+" ") {
			t.Errorf("the linker does not know -%s, or it takes no value:\n%s", name, out)
		}
	}
}

package yamlscalar

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Whatever the text is: either it is not YAML, or every string with an image can be replaced, and
// nothing else changes. The only other strings that cannot be replaced are empty ones, and those on
// several lines without quotes.
func FuzzReplace(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "kube", "testdata", "awkward", "*"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	const image = "registry.example.com/acme/api@sha256:abababababababababababababababababababababababababababababababab"
	f.Fuzz(func(t *testing.T, src []byte) {
		same, n, err := Replace(src, func(Scalar) (string, bool, error) { return "", false, nil })
		if errors.Is(err, ErrSyntax) {
			return
		}
		if err != nil || n != 0 || !bytes.Equal(same, src) {
			t.Fatalf("without a choice: %d places, %v", n, err)
		}
		isImage := func(value string) bool {
			return strings.HasPrefix(value, "ko://") && !strings.ContainsAny(strings.TrimSpace(value), " \n\t\r\u0085\u2028\u2029")
		}
		wanted := 0
		changed, n, err := Replace(src, func(s Scalar) (string, bool, error) {
			if isImage(s.Value) {
				wanted++
			}
			return image, isImage(s.Value), nil
		})
		if err != nil && blockBelow.Match(src) {
			return
		}
		if err != nil {
			t.Fatalf("images: %v\n%q", err, src)
		}
		if n > wanted || (n == 0) != (wanted == 0) {
			t.Fatalf("%d places of %d uses", n, wanted)
		}
		if left := countStrings(t, changed, isImage); left > 0 {
			t.Fatalf("%d are left\n%q", left, changed)
		}
		changed, n, err = Replace(src, func(s Scalar) (string, bool, error) {
			return image, strings.TrimSpace(s.Value) != "", nil
		})
		if err != nil {
			if !strings.Contains(err.Error(), "on several lines without quotes") && !blockBelow.Match(src) {
				t.Fatalf("all: %v\n%q", err, src)
			}
			return
		}
		if left := countStrings(t, changed, func(v string) bool { return v != image && strings.TrimSpace(v) != "" }); left > 0 || n == 0 && !bytes.Equal(src, changed) {
			t.Fatalf("%d are left\n%q", left, changed)
		}
	})
}

// blockBelow matches a block that begins a line. The parser accepts it even to the left of its key,
// where it accepts nothing else.
var blockBelow = regexp.MustCompile(`(?m)^[ \t]*([&!]\S*\s+)*[|>]`)

// countStrings counts the strings of a stream that match.
func countStrings(t *testing.T, src []byte, match func(string) bool) (n int) {
	docs, err := parse(src)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*yaml.Node)
	walk = func(node *yaml.Node) {
		if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str" && match(node.Value) {
			n++
		}
		for _, c := range node.Content {
			walk(c)
		}
	}
	for _, d := range docs {
		walk(d)
	}
	return n
}

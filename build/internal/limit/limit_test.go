package limit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// A reader gives exactly what it may, in whatever pieces it is read.
func TestBytes(t *testing.T) {
	for _, c := range []struct {
		content string
		most    int64
		large   bool
	}{{"abc", -2, true}, {"", -1, false}, {"abc", -1, true}, {"", 0, false}, {"a", 0, true}, {"abc", 3, false}, {"abcd", 3, true}, {"abc", 1 << 40, false}, {strings.Repeat("a", 5000), 4096, true}} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "single": iotest.OneByteReader, "with the end": iotest.DataErrReader} {
			got, err := io.ReadAll(Bytes(wrap(strings.NewReader(c.content)), c.most))
			if errors.Is(err, ErrTooLarge) != c.large || !c.large && err != nil || int64(len(got)) != min(max(c.most, 0), int64(len(c.content))) {
				t.Errorf("%d bytes of %d, %s: %d, %v", len(c.content), c.most, name, len(got), err)
			}
		}
	}
	_, err := io.ReadAll(Bytes(strings.NewReader("abcd"), 3))
	if want := "it is too large: more than 3 bytes"; err.Error() != want {
		t.Errorf("%v", err)
	}
	for bytes, want := range map[int64]string{1 << 10: "1 KiB", 16 << 20: "16 MiB", 16 << 30: "16 GiB", 2 << 40: "2048 GiB", 1500: "1500 bytes"} {
		if got := size(bytes); got != want {
			t.Errorf("%d is %s, want %s", bytes, got, want)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A copy ends with its context, and says why that ended.
func TestContext(t *testing.T) {
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	n := 0
	_, err := io.Copy(writerFunc(func(p []byte) (int, error) {
		if n++; n == 3 {
			cancel(why)
		}
		return len(p), nil
	}), Reader(ctx, endless{}))
	if !errors.Is(err, why) || n != 3 {
		t.Errorf("the reader ended after %d pieces with %v", n, err)
	}
	if _, err := Writer(ctx, &bytes.Buffer{}).Write([]byte("a")); !errors.Is(err, why) {
		t.Errorf("the writer gives %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestParts(t *testing.T) {
	for document, large := range map[string]bool{`{"a":[1,2,3]}`: false, `[1,2,3,4]`: true, `[[[[]]]]`: true, `{"a":{"a":{"a":{}}}}`: true, ``: false} {
		if err := Parts([]byte(document), 2); errors.Is(err, ErrTooLarge) != large {
			t.Errorf("%s: %v", document, err)
		}
	}
}

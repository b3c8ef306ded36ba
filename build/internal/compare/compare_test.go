package compare

import (
	"archive/tar"
	"bytes"
	"fmt"
	"slices"
	"testing"
)

func TestJSONDifferences(t *testing.T) {
	for _, test := range []struct{ name, a, b, want string }{
		{"equal but for white space and order", `{"a":1,"b":[1,2]}`, `{ "b": [1, 2], "a": 1 }`, ""},
		{"a value", `{"a":{"b/c":1}}`, `{"a":{"b/c":2}}`, "/a/b~1c: 1 / 2"},
		{"a number's text", `{"a":1.0}`, `{"a":1}`, "/a: 1.0 / 1"},
		{"absent", `{"a":1}`, `{}`, "/a: 1 / -"},
		{"a list of words", `{"a":["x"]}`, `{"a":["x","y"]}`, `/a: ["x"] / ["x","y"]`},
		{"a list by names", `[{"name":"p","v":1},{"name":"q"}]`, `[{"name":"q"},{"name":"p","v":2}]`, "/p/v: 1 / 2"},
		{"the order of names", `[{"name":"p"},{"name":"q"}]`, `[{"name":"q"},{"name":"p"}]`, ": in the order p, q / in the order q, p"},
		{"a list by place", `[{"v":1},{"v":2}]`, `[{"v":1},{"v":3}]`, "/1/v: 2 / 3"},
		{"another kind", `{"a":[]}`, `{"a":{}}`, "/a: [] / {}"},
		{"null", `{"a":null}`, `{"a":0}`, "/a: null / 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fields, err := jsonDifferences([]byte(test.a), []byte(test.b), 1)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(fields) > 0 {
				got = fmt.Sprintf("%s: %s / %s", fields[0].path, fields[0].a, fields[0].b)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if _, err := jsonDifferences([]byte("{} {}"), []byte("{}"), 1); err == nil {
		t.Error("something behind the value is read")
	}
}

func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Typeflag, h.Size = tar.TypeReg, 1
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFirstFile(t *testing.T) {
	plain := tar.Header{Name: "app/x", Mode: 0o755}
	for _, test := range []struct {
		name string
		a, b []tar.Header
		want string
	}{
		{"equal", []tar.Header{plain}, []tar.Header{plain}, ""},
		{"mode", []tar.Header{plain}, []tar.Header{{Name: "app/x", Mode: 0o644}}, "/app/x mode 0755 0644"},
		{"owner", []tar.Header{plain}, []tar.Header{{Name: "app/x", Mode: 0o755, Uid: 7}}, "/app/x owner 0:0 7:0"},
		{"missing", []tar.Header{plain}, nil, "/app/x  file, 1 bytes, mode 0755 "},
		{"more", nil, []tar.Header{plain}, "/app/x   file, 1 bytes, mode 0755"},
		{"order", []tar.Header{plain, {Name: "b"}}, []tar.Header{{Name: "b"}, plain}, "/app/x order entry 0 entry 1"},
		{"attributes", []tar.Header{plain}, []tar.Header{{Name: "app/x", Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "z"}}}, "/app/x attributes  security.capability=7a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := readTar(t.Context(), bytes.NewReader(archive(t, test.a...)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := readTar(t.Context(), bytes.NewReader(archive(t, test.b...)))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if d, ok := firstFile(a, b); ok {
				got = fmt.Sprintf("%s %s %s %s", d.Where, d.What, d.A, d.B)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	for _, test := range []struct{ a, b, want string }{
		{"at 2026-11-25T10:00:01Z", "at 2026-11-25T10:00:02Z", "2026-11-25T10:00:01 / 2026-11-25T10:00:02"},
		{"Wed Nov 25 10:00:01", "Wed Nov 25 10:00:02", "Wed Nov 25 10:00:01 / Wed Nov 25 10:00:02"},
		{"T2026-11-25T10:00:01.25Z", "T2026-11-25T10:00:01.5Z", "2026-11-25T10:00:01.25 / 2026-11-25T10:00:01.5"},
		{"t = 1795535448", "t = 1795535449", "1795535448 / 1795535449"},
		{"2026-11-25", "2026-11-25", ""},
		{"v1.2.3", "v1.2.4", ""},
	} {
		if got, _ := times(test.a, test.b); got != test.want {
			t.Errorf("%q and %q: %q, want %q", test.a, test.b, got, test.want)
		}
	}
}

// Any two documents: a difference is found exactly where they are not equal, whichever
// comes first.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":[{"name":"x"}]}`), []byte(`{"a":[{"name":"y"}]}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, err := jsonDifferences(a, b, 1)
		if err != nil {
			return
		}
		y, err := jsonDifferences(b, a, 1)
		if err != nil || len(x) != len(y) {
			t.Errorf("%q and %q: %v one way, %v the other: %v", a, b, x, y, err)
		}
		if self, _ := jsonDifferences(a, a, 1); len(self) > 0 {
			t.Errorf("%q differs from itself: %v", a, self)
		}
	})
}

// Any bytes as a layer: an error, or files that equal themselves.
func FuzzTar(f *testing.F) {
	f.Add(archive(f, tar.Header{Name: "a/b", Mode: 0o644}))
	f.Fuzz(func(t *testing.T, b []byte) {
		files, err := readTar(t.Context(), bytes.NewReader(b))
		if err != nil {
			return
		}
		if d, ok := firstFile(files, files); ok {
			t.Errorf("a layer differs from itself: %+v", d)
		}
	})
}

// Any two texts: the first line that differs, or that none does.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\n"), []byte("a\nc\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		l, err := firstLine(bytes.NewReader(a), bytes.NewReader(b))
		if same := slices.Equal(a, b); same != (err != nil) {
			t.Errorf("%q and %q: %+v, %v", a, b, l, err)
		}
	})
}

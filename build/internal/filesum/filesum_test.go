package filesum_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/thimble-build/thimble/build/internal/filesum"
)

// memory is a store that counts what is put into it.
type memory struct {
	values map[string][]byte
	puts   int
}

func (m *memory) Get(key string) ([]byte, bool) { v, ok := m.values[key]; return v, ok }
func (m *memory) Put(key string, value []byte)  { m.values[key] = value; m.puts++ }

func sum(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

// settle waits until a change of the file would show.
func settle(t *testing.T, name string) {
	t.Helper()
	for range 300 {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := filesum.StateOf(info); !ok || s.Settled(time.Now()) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the file does not settle within 3 s")
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSums(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("every file is read there")
	}
	name := filepath.Join(t.TempDir(), "file")
	of := func(s filesum.Sums) string {
		t.Helper()
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, err := s.Of(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	store := &memory{values: map[string][]byte{}}
	s := filesum.Sums{Store: store}
	small := strings.Repeat("x", 1000)
	write(t, name, small)
	settle(t, name)
	if got := of(s); got != sum(small) || store.puts != 0 {
		t.Errorf("the sum is %s; a small file was remembered %d times", got, store.puts)
	}
	content := strings.Repeat("content ", 10_000)
	write(t, name, content)
	if got := of(s); got != sum(content) {
		t.Errorf("the sum is %s", got)
	}
	settle(t, name)
	for range 2 {
		if got := of(s); got != sum(content) || store.puts != 1 {
			t.Errorf("the sum is %s, remembered %d times", got, store.puts)
		}
	}

	// What is remembered is used: a wrong sum in the store comes back, unless all are read.
	right := maps.Clone(store.values)
	for key, value := range store.values {
		store.values[key] = bytes.ReplaceAll(value, []byte(sum(content)), []byte(sum("other")))
	}
	if got := of(s); got != sum("other") {
		t.Errorf("the file was read again: %s", got)
	}
	if got := of(filesum.Sums{Store: store, Always: true}); got != sum(content) {
		t.Errorf("the file was not read again: %s", got)
	}
	store.values = right

	// Another content of the same size and time.
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("C"), 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), os.Chtimes(name, before.ModTime(), before.ModTime())); err != nil {
		t.Fatal(err)
	}
	if got := of(s); got != sum("C"+content[1:]) {
		t.Error("a change was missed whose time was set back")
	}
}

// A change shows only after a tick of the clock that the file system's times have.
func TestSettled(t *testing.T) {
	read := time.Unix(1_000_000, 500_000_000)
	for before, want := range map[time.Duration]bool{
		0: false, 19 * time.Millisecond: false, 21 * time.Millisecond: true, time.Second: true,
		// Whole seconds, as of a file system that counts no smaller time.
		500 * time.Millisecond: false, 1500 * time.Millisecond: false, 2500 * time.Millisecond: true,
	} {
		if got := (filesum.State{Changed: read.Add(-before).UnixNano()}).Settled(read); got != want {
			t.Errorf("changed %s before it was read: %t", before, got)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	write(t, name, "content")
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	check := func() error { return filesum.Sums{}.Check(t.Context(), f, before, sum("content")) }
	if err := check(); err != nil {
		t.Error(err)
	}
	settle(t, name)
	write(t, name, "CONTENT")
	if err := check(); err == nil || !strings.Contains(err.Error(), name+" was changed while it was used; run it again") {
		t.Errorf("a changed file: %v", err)
	}
	write(t, name, "content")
	if err := os.Remove(name); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	if err := check(); err != nil {
		t.Errorf("a file whose name has gone: %v", err)
	}
}

func TestVerify(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		from io.Reader
		size int64
		is   error
	}{
		"right":           {strings.NewReader("content"), 7, nil},
		"byte by byte":    {iotest.OneByteReader(strings.NewReader("content")), 7, nil},
		"end with data":   {iotest.DataErrReader(strings.NewReader("content")), 7, nil},
		"other content":   {strings.NewReader("CONTENT"), 7, filesum.ErrChanged},
		"too short":       {strings.NewReader("conten"), 7, filesum.ErrChanged},
		"cannot be read":  {iotest.ErrReader(broken), 7, broken},
		"breaks half way": {io.MultiReader(strings.NewReader("con"), iotest.ErrReader(broken)), 7, broken},
	} {
		r := filesum.Verify(test.from, test.size, func() (string, error) { return sum("content"), nil })
		got, err := io.ReadAll(r)
		if !errors.Is(err, test.is) || test.is == nil && (err != nil || string(got) != "content") {
			t.Errorf("%s: read %q, %v", name, got, err)
		}
		if _, again := r.Read(make([]byte, 1)); test.is != nil && !errors.Is(again, test.is) {
			t.Errorf("%s: a second read gives %v", name, again)
		}
	}
	// Who reads just as many bytes as were announced learns of it as well.
	r := filesum.Verify(strings.NewReader("CONTENT"), 7, func() (string, error) { return sum("content"), nil })
	if _, err := io.ReadFull(r, make([]byte, 7)); err != nil {
		t.Fatal(err) // io.ReadFull drops the error that comes with the last byte
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, filesum.ErrChanged) {
		t.Errorf("after the last byte: %v", err)
	}
}

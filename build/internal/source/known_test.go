package source

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// memory is a store that counts what is put into it.
type memory struct {
	values map[string][]byte
	puts   int
}

func (m *memory) Get(key string) ([]byte, bool) { v, ok := m.values[key]; return v, ok }
func (m *memory) Put(key string, value []byte)  { m.values[key] = value; m.puts++ }

// settle waits until a change of the file would show.
func settle(t testing.TB, name string) {
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

// assetRepository has so many small assets.
func assetRepository(t testing.TB, count int) (r *repository, files []File) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r = &repository{t, dir}
	for i := range count {
		name := fmt.Sprintf("assets/%d.txt", i)
		r.write(name, fmt.Sprintf("asset %d\n", i))
		files = append(files, File{Path: r.path(name), Asset: true})
	}
	r.git("init", "-q", "-b", "main")
	return r.commit(), files
}

// remembering is a repository with three small assets and a large one, which are remembered
// in the store.
type remembering struct {
	*repository
	files []File
	store *memory
}

func newRemembering(t *testing.T) remembering {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("every file is read there")
	}
	r, files := assetRepository(t, 3)
	large := r.path("assets/large")
	r.write("assets/large", "large")
	if err := os.Truncate(large, largeAssets+1); err != nil {
		t.Fatal(err)
	}
	r.commit()
	m := remembering{r, append(files, File{Path: large, Asset: true}), &memory{values: map[string][]byte{}}}
	settle(t, large)
	if found := m.compare(m.files, m.store); len(found) > 0 {
		t.Fatalf("as committed: %q", found)
	}
	if known := m.known(); len(known) != len(m.files) {
		t.Fatalf("%d of %d files are remembered", len(known), len(m.files))
	}
	return m
}

func (m remembering) compare(files []File, store filesum.Store) (names []string) {
	m.t.Helper()
	found, err := m.read().Compare(m.t.Context(), files, store)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, d := range found {
		names = append(names, d.File)
	}
	return names
}

func (m remembering) known() map[string]knownFile {
	return decodeKnown(m.store.values[knownKey(m.dir)])
}

func (m remembering) info(name string) os.FileInfo {
	m.t.Helper()
	info, err := os.Stat(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	return info
}

// What is remembered is used for assets alone, if they are many and a store is given. To show
// it, the store says of a changed file that it is as committed.
func TestRememberedIsUsed(t *testing.T) {
	m := newRemembering(t)
	const name = "assets/0.txt"
	m.write(name, "ASSET 0\n")
	settle(t, m.path(name))
	known := m.known()
	f := known[m.path(name)]
	f.State, _ = filesum.StateOf(m.info(name))
	known[m.path(name)] = f
	m.store.values[knownKey(m.dir)] = encodeKnown(known)
	compiled := slices.Clone(m.files)
	compiled[0].Asset = false
	for _, test := range []struct {
		name  string
		files []File
		store filesum.Store
		want  []string
	}{
		{"an asset", m.files, m.store, nil},
		{"without a store, as in a release", m.files, nil, []string{name}},
		{"a compiled file", append(compiled, File{Path: m.files[1].Path, Asset: true}), m.store, []string{name}},
		{"small assets", m.files[:3], m.store, []string{name}},
	} {
		if got := m.compare(test.files, test.store); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestManyAssetsAreRemembered(t *testing.T) {
	m := newRemembering(t)
	c := m.read()
	at, err := newWalk(c).locate(t.Context(), m.files[0].Path, true)
	if err != nil {
		t.Fatal(err)
	}
	for count, want := range map[int]bool{manyAssets: false, manyAssets + 1: true} {
		if k := c.recall(slices.Repeat(m.files[:1], count), slices.Repeat([]place{at}, count), m.store); (k != nil) != want {
			t.Errorf("%d assets are remembered: %t", count, k != nil)
		}
	}
}

func TestChangeOfRememberedIsSeen(t *testing.T) {
	testtool.NotShort(t)
	const name = "assets/1.txt"
	restore := func(m remembering, info os.FileInfo) {
		if err := os.Chtimes(m.path(name), info.ModTime(), info.ModTime()); err != nil {
			m.t.Fatal(err)
		}
	}
	m := newRemembering(t)
	commit := m.git("rev-parse", "HEAD")
	for _, test := range []struct {
		name   string
		change func()
		want   []string
	}{
		{"nothing", func() {}, nil},
		{"another content of the same size and time", func() {
			before := m.info(name)
			m.write(name, "ASSET 1\n")
			restore(m, before)
		}, []string{name}},
		{"a file put in its place", func() {
			before := m.info(name)
			m.write("other", "ASSET 1\n")
			if err := os.Rename(m.path("other"), m.path(name)); err != nil {
				t.Fatal(err)
			}
			restore(m, before)
		}, []string{name}},
		{"a hard link to another file", func() {
			m.write("other", "ASSET 1\n")
			m.remove(name)
			if err := os.Link(m.path("other"), m.path(name)); err != nil {
				t.Fatal(err)
			}
		}, []string{name}},
		{"another commit, which alone has another content", func() {
			m.write("other", "ASSET 1\n")
			m.git("update-index", "--cacheinfo", "100644,"+m.git("hash-object", "-w", "other")+","+name)
			m.git("commit", "-q", "-m", "another")
		}, []string{name}},
		{"a symlink in its place", func() { m.symlink("2.txt", name) }, []string{name}},
		{"gone", func() { m.remove(name) }, []string{name}},
		{"another mode", func() {
			if err := os.Chmod(m.path(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil},
	} {
		m.remove(name)
		m.git("reset", "-q", "--hard", commit)
		settle(t, m.path(name))
		m.compare(m.files, m.store)
		if len(m.known()) != len(m.files) {
			t.Fatalf("%s: %d files are remembered", test.name, len(m.known()))
		}
		test.change()
		for range 2 {
			if got := m.compare(m.files, m.store); !slices.Equal(got, test.want) {
				t.Errorf("%s: %q, want %q", test.name, got, test.want)
			}
		}
	}
}

// A file that was changed just before it was read is not remembered: another change within
// the same tick of the clock would not show. Nor is one that changed while it was read.
func TestRacyAssetsAreNotRemembered(t *testing.T) {
	m := newRemembering(t)
	const name = "assets/2.txt"
	at, err := newWalk(m.read()).locate(t.Context(), m.path(name), true)
	if err != nil {
		t.Fatal(err)
	}
	state, ok := filesum.StateOf(at.info)
	if !ok {
		t.Fatal("no state")
	}
	remembered := func(read time.Time) bool {
		k := &known{now: map[string]knownFile{}}
		k.add(at, read)
		return len(k.now) > 0
	}
	if remembered(time.Unix(0, state.Changed).Add(time.Millisecond)) {
		t.Error("a file is remembered that was read a millisecond after its change")
	}
	if !remembered(time.Unix(0, state.Changed).Add(3 * time.Second)) {
		t.Error("a file is not remembered that was read three seconds after its change")
	}
	m.write(name, "ASSET 2\n")
	if remembered(time.Unix(0, state.Changed).Add(3 * time.Second)) {
		t.Error("a file is remembered that was changed while it was read")
	}

	// All of it together: the second change has the same size and time.
	if found := m.compare(m.files, m.store); !slices.Equal(found, []string{name}) {
		t.Errorf("changed: %q", found)
	}
	before := m.info(name)
	m.write(name, "asset 2\n")
	if found := m.compare(m.files, m.store); len(found) > 0 {
		t.Errorf("restored: %q", found)
	}
	m.write(name, "ASSET 2\n")
	if err := os.Chtimes(m.path(name), before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	if found := m.compare(m.files, m.store); !slices.Equal(found, []string{name}) {
		t.Errorf("changed right after it was read: %q", found)
	}
}

// What cannot be read is not known, and is written again.
func TestKnownIsWhole(t *testing.T) {
	files := map[string]knownFile{"/a": {Mode: 1, Size: 20}, "/b": {Mode: 2}}
	text := encodeKnown(files)
	if got := decodeKnown(text); !maps.Equal(got, files) {
		t.Errorf("%v, want %v", got, files)
	}
	for i := 1; i < len(text); i++ {
		if got := decodeKnown(text[:i]); len(got) > 1 {
			t.Errorf("the first %d bytes give %v", i, got)
		}
	}
	if got := decodeKnown(bytes.Repeat([]byte{0xff}, 20)); got != nil {
		t.Errorf("garbage gives %v", got)
	}
}

// BenchmarkCompareAssets compares 5,000 assets, read each time and remembered.
func BenchmarkCompareAssets(b *testing.B) {
	r, files := assetRepository(b, 5000)
	repo, err := git.Open(r.dir, environment())
	if err != nil {
		b.Fatal(err)
	}
	c, err := Read(b.Context(), repo, r.git("rev-parse", "HEAD"))
	if err != nil {
		b.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // so that they are remembered
	for name, store := range map[string]filesum.Store{"read": nil, "remembered": &memory{values: map[string][]byte{}}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if found, err := c.Compare(b.Context(), files, store); err != nil || len(found) > 0 {
					b.Fatalf("%v, %v", found, err)
				}
			}
		})
	}
}

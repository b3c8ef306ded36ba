package tree

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

// digest is the SHA-256 of a tree's tar.
func digest(t testing.TB, tr *Tree) string {
	t.Helper()
	h := sha256.New()
	if err := tr.WriteTar(h); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

type tarEntry struct {
	tar.Header
	content string
}

func readTar(t testing.TB, tr *Tree) []tarEntry {
	t.Helper()
	var b bytes.Buffer
	if err := tr.WriteTar(&b); err != nil {
		t.Fatal(err)
	}
	var entries []tarEntry
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, tarEntry{*h, string(content)})
	}
}

func names(entries []tarEntry) (names []string) {
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names
}

func add(t testing.TB, tr *Tree, nodes ...Node) {
	t.Helper()
	for _, n := range nodes {
		if err := tr.Add(n); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriteTarIsCanonical(t *testing.T) {
	ping := Bytes("srv/ping", 0o755, []byte("ping"))
	ping.Capabilities = []byte("\x01\x00\x00\x02 a value")
	long := strings.Repeat("d", 90) + "/" + strings.Repeat("f", 120)
	nodes := []Node{
		Bytes("srv/b", 0o644, []byte("bee")),
		Bytes("srv/a", 0o755|fs.ModeSetuid, []byte("a")),
		{Path: "srv/link", Mode: fs.ModeSymlink, Link: "../somewhere"},
		{Path: "srv/same", Mode: 0o644, Link: "srv/b"},
		{Path: "srv/own", Mode: fs.ModeDir | fs.ModeSetgid | 0o750, UID: 1000, GID: 2000},
		Bytes("srv/own/big", 0o600, make([]byte, 1<<20)),
		Bytes("tmp/kept", 0o644, nil),
		Bytes(long, 0o644, []byte("long")),
		ping,
		Bytes("srv/grün", 0o644, []byte("utf8")),
	}
	forward, backward := &Tree{}, &Tree{}
	add(t, forward, nodes...)
	// A hard link needs its target first.
	slices.Reverse(nodes)
	add(t, backward, slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.Path == "srv/same" })...)
	add(t, backward, Node{Path: "srv/same", Mode: 0o644, Link: "srv/b"})
	if digest(t, forward) != digest(t, backward) {
		t.Error("the order of Add changes the tar")
	}

	entries := readTar(t, forward)
	got := names(entries)
	want := []string{
		long[:90] + "/", long, "srv/", "srv/a", "srv/b", "srv/grün", "srv/link", "srv/own/",
		"srv/own/big", "srv/ping", "srv/same", "tmp/", "tmp/kept",
	}
	if !slices.Equal(got, want) {
		t.Errorf("entries are\n%q, want\n%q", got, want)
	}
	byName := map[string]tarEntry{}
	for _, e := range entries {
		byName[e.Name] = e
		if !e.ModTime.Equal(time.Unix(0, 0)) || !e.AccessTime.IsZero() || !e.ChangeTime.IsZero() {
			t.Errorf("%s has times %v %v %v", e.Name, e.ModTime, e.AccessTime, e.ChangeTime)
		}
		if e.Uname != "" || e.Gname != "" {
			t.Errorf("%s has owner names %q %q", e.Name, e.Uname, e.Gname)
		}
		needsPAX := e.Name == long || e.Name == "srv/grün" || e.Name == "srv/ping"
		if (e.Format == tar.FormatPAX) != needsPAX {
			t.Errorf("%s has format %v", e.Name, e.Format)
		}
	}
	for name, want := range map[string]tar.Header{
		"srv/":     {Typeflag: tar.TypeDir, Mode: 0o755},
		"srv/a":    {Typeflag: tar.TypeReg, Mode: 0o4755},
		"srv/b":    {Typeflag: tar.TypeReg, Mode: 0o644},
		"srv/link": {Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: "../somewhere"},
		"srv/same": {Typeflag: tar.TypeLink, Mode: 0o644, Linkname: "srv/b"},
		"srv/own/": {Typeflag: tar.TypeDir, Mode: 0o2750, Uid: 1000, Gid: 2000},
		"tmp/":     {Typeflag: tar.TypeDir, Mode: 0o1777},
	} {
		got := byName[name]
		if got.Typeflag != want.Typeflag || got.Mode != want.Mode || got.Uid != want.Uid ||
			got.Gid != want.Gid || got.Linkname != want.Linkname {
			t.Errorf("%s: type %c mode %o owner %d:%d link %q", name, got.Typeflag, got.Mode, got.Uid, got.Gid, got.Linkname)
		}
	}
	if got := byName["srv/ping"].PAXRecords["SCHILY.xattr.security.capability"]; got != string(ping.Capabilities) {
		t.Errorf("srv/ping has the capabilities %q", got)
	}
	if byName["srv/b"].content != "bee" || byName[long].content != "long" {
		t.Error("contents differ")
	}
}

// The bytes of a layer are a format: images that are out there share it.
func TestRootfsTarStaysAsItIs(t *testing.T) {
	tr, err := Rootfs([]string{plan.NeedTmp, plan.NeedUsers}, Sources{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "ee439cf2610ebfa3618cb5bfcc2e0a5d62e91984a20232ad940706730c71d948"
	if got := digest(t, tr); got != want {
		t.Errorf("the tar of /tmp and users is now %s, want %s: every image gets another digest", got, want)
	}
}

func TestAddRefuses(t *testing.T) {
	file := Bytes("a/file", 0o644, []byte("x"))
	for name, tc := range map[string]struct {
		nodes []Node
		want  string
	}{
		"absolute":         {[]Node{Bytes("/etc/passwd", 0o644, nil)}, "not a clean relative path"},
		"parent":           {[]Node{Bytes("../etc", 0o644, nil)}, "not a clean relative path"},
		"unclean":          {[]Node{Bytes("a//b", 0o644, nil)}, "not a clean relative path"},
		"root":             {[]Node{{Path: ".", Mode: fs.ModeDir | 0o755}}, "not a clean relative path"},
		"twice":            {[]Node{file, file}, "already exists"},
		"file, not folder": {[]Node{file, Bytes("a/file/b", 0o644, nil)}, "/a/file is not a folder"},
		"folder, not file": {[]Node{file, Bytes("a", 0o644, nil)}, "already exists as a folder"},
		"other folder":     {[]Node{{Path: "d", Mode: fs.ModeDir | 0o755}, {Path: "d", Mode: fs.ModeDir | 0o700}}, "differs"},
		"device":           {[]Node{{Path: "d", Mode: fs.ModeDevice | 0o600}}, "neither a file"},
		"negative owner":   {[]Node{{Path: "d", Mode: fs.ModeDir | 0o755, UID: -1}}, "negative"},
		"no content":       {[]Node{{Path: "f", Mode: 0o644}}, "without content"},
		"no link":          {[]Node{{Path: "f", Mode: fs.ModeSymlink}}, "without a target"},
		"missing target":   {[]Node{{Path: "z", Mode: 0o644, Link: "a/none"}}, "not a file of the tree"},
		"later target":     {[]Node{file, {Path: "a/a", Mode: 0o644, Link: "a/file"}}, "comes after"},
		"other mode":       {[]Node{file, {Path: "b", Mode: 0o600, Link: "a/file"}}, "mode, owner or capabilities differ"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &Tree{}
			last := len(tc.nodes) - 1
			add(t, tr, tc.nodes[:last]...)
			err := tr.Add(tc.nodes[last])
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Add gives %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestAddTakesTheSameFolderTwice(t *testing.T) {
	tr := &Tree{}
	d := Node{Path: "srv", Mode: fs.ModeDir | 0o700, UID: 7}
	add(t, tr, Bytes("srv/file", 0o644, nil), d, d)
	entries := readTar(t, tr)
	if len(entries) != 2 || entries[0].Mode != 0o700 || entries[0].Uid != 7 {
		t.Errorf("a folder that is named later keeps the mode it was made with: %v", entries)
	}
}

func TestWriteTarNoticesChangedFiles(t *testing.T) {
	for _, content := range []string{"", "short", "much longer than it was"} {
		tr := &Tree{}
		add(t, tr, Node{Path: "f", Mode: 0o644, Size: 8, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		}})
		if err := tr.WriteTar(io.Discard); err == nil || !strings.Contains(err.Error(), "/f to the layer: the file changed") {
			t.Errorf("%d bytes instead of 8 give %v", len(content), err)
		}
	}
	gone := errors.New("gone")
	tr := &Tree{}
	add(t, tr, Node{Path: "f", Mode: 0o644, Size: 8, Open: func() (io.ReadCloser, error) { return nil, gone }})
	if err := tr.WriteTar(io.Discard); !errors.Is(err, gone) {
		t.Errorf("a file that cannot be opened gives %v", err)
	}
}

func TestComponents(t *testing.T) {
	tr := &Tree{}
	add(t, tr, Bytes("own", 0o644, nil))
	err := tr.AddComponent(Component{Name: "zoo", Version: "1"},
		Bytes("usr/b", 0o644, []byte("abc")),
		Node{Path: "usr/c", Mode: 0o644, Link: "usr/b"},
		Node{Path: "usr/d", Mode: fs.ModeSymlink, Link: "b"},
		Node{Path: "usr/dir", Mode: fs.ModeDir | 0o755})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.AddComponent(Component{Name: "ant"}, Bytes("usr/a", 0o644, nil)); err != nil {
		t.Fatal(err)
	}
	got, err := tr.Components(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const abc1, abc256 = "a9993e364706816aba3e25717850c26c9cd0d89d", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if len(got) != 2 || got[0].Name != "zoo" || got[1].Name != "ant" {
		t.Fatalf("components are %+v", got)
	}
	const abc512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
	want := []File{{"/usr/b", 3, abc1, abc256, abc512}, {"/usr/c", 3, abc1, abc256, abc512}}
	if !slices.Equal(got[0].Files, want) {
		t.Errorf("files of zoo are %+v, want %+v", got[0].Files, want)
	}
	if len(got[1].Files) != 1 || got[1].Files[0].Size != 0 {
		t.Errorf("files of ant are %+v", got[1].Files)
	}
}

// A file that takes long to read is read until the context ends.
func TestDescribeEnds(t *testing.T) {
	why := errors.New("why")
	ctx, stop := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
	defer stop()
	if _, err := Describe(ctx, endless{}, "/dlv"); !errors.Is(err, why) {
		t.Error(err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

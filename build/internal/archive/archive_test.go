package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// content does not compress well, and is more than one block of it.
func content() []byte {
	b, r := make([]byte, 3<<20), rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.IntN(20))
	}
	return b
}

func input(t testing.TB) archive.Input {
	t.Helper()
	return archive.Input{
		Folder: "api_1.2.3_linux_amd64", Modified: time.Date(2026, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600)),
		Entries: []archive.Entry{
			{Name: "api", Executable: true, Size: int64(len(content())), Open: func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(content())), nil
			}},
			{Name: "LICENSE", Data: []byte("free\n")},
			{Name: "licenses/third-party.txt", Data: []byte("as well\n")},
			{Name: "EMPTY"},
		},
	}
}

var writers = map[string]func(context.Context, io.Writer, archive.Input) error{".tar.gz": archive.TarGz, ".zip": archive.Zip}

// Stock tar and unzip read what is written.
func TestStockClients(t *testing.T) {
	for extension, unpack := range map[string][]string{".tar.gz": {"tar", "-xzf"}, ".zip": {"unzip", "-q"}} {
		t.Run(extension, func(t *testing.T) {
			testtool.Program(t, unpack[0])
			dir := t.TempDir()
			file := filepath.Join(dir, "a"+extension)
			var b bytes.Buffer
			if err := archive.Write(t.Context(), &b, extension, input(t)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := testtool.Command(t, unpack[0], append(unpack[1:], file)...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "TZ=UTC")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for name, want := range map[string]string{
				"api": string(content()), "LICENSE": "free\n", "licenses/third-party.txt": "as well\n", "EMPTY": "",
			} {
				path := filepath.Join(dir, "api_1.2.3_linux_amd64", filepath.FromSlash(name))
				got, err := os.ReadFile(path)
				if err != nil || string(got) != want {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
					continue
				}
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if executable := info.Mode()&0o100 != 0; executable != (name == "api") {
					t.Errorf("%s has mode %v", name, info.Mode())
				}
				if want := time.Date(2026, 2, 3, 3, 5, 6, 0, time.UTC); !info.ModTime().Equal(want) {
					t.Errorf("%s is of %v", name, info.ModTime())
				}
			}
		})
	}
}

func TestSameBytes(t *testing.T) {
	testtool.NotShort(t)
	for extension, write := range writers {
		t.Run(extension, func(t *testing.T) {
			var want string
			for i, processors := range []int{1, 2, 8} {
				in := input(t) // another folder every time
				if i > 0 {
					in.Entries[0], in.Entries[2] = in.Entries[2], in.Entries[0]
					in.Modified = in.Modified.UTC()
				}
				before := runtime.GOMAXPROCS(processors)
				h := sha256.New()
				err := write(t.Context(), h, in)
				runtime.GOMAXPROCS(before)
				if err != nil {
					t.Fatal(err)
				}
				got := hex.EncodeToString(h.Sum(nil))
				if want == "" {
					want = got
				}
				if got != want {
					t.Errorf("%d processors: %s, not %s", processors, got, want)
				}
			}
		})
	}
}

// Times that a zip file cannot have are moved to those that it can.
func TestTimesOfZip(t *testing.T) {
	for _, year := range []int{1970, 1980, 2107, 2300} {
		in := input(t)
		in.Modified = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := archive.Zip(t.Context(), io.Discard, in); err != nil {
			t.Errorf("%d: %v", year, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*archive.Input){
		"escapes":  func(in *archive.Input) { in.Entries[1].Name = "../LICENSE" },
		"absolute": func(in *archive.Input) { in.Entries[1].Name = "/LICENSE" },
		"no name":  func(in *archive.Input) { in.Entries[1].Name = "" },
		"twice":    func(in *archive.Input) { in.Entries[1].Name = "api" },
		"no file": func(in *archive.Input) {
			in.Entries[1].Open = func() (io.ReadCloser, error) { return nil, fs.ErrNotExist }
		},
		"too short": func(in *archive.Input) { in.Entries[0].Size++ },
	} {
		for extension, write := range writers {
			in := input(t)
			change(&in)
			if err := write(t.Context(), io.Discard, in); err == nil || !strings.HasPrefix(err.Error(), "write archive "+in.Folder+": ") {
				t.Errorf("%s %s: the error is %v", name, extension, err)
			}
		}
	}
	if err := archive.Write(t.Context(), io.Discard, ".rar", input(t)); err == nil {
		t.Error("an unknown extension was taken")
	}
}

// full is a disk with so many bytes left.
type full struct{ left int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		n := f.left
		f.left = 0
		return n, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

func TestDiskFull(t *testing.T) {
	for extension, write := range writers {
		var whole bytes.Buffer
		if err := write(t.Context(), &whole, input(t)); err != nil {
			t.Fatal(err)
		}
		for _, left := range []int{0, 1, 100, whole.Len() / 2, whole.Len() - 1} {
			if err := write(t.Context(), &full{left}, input(t)); !errors.Is(err, errFull) {
				t.Errorf("%s, %d bytes left: %v", extension, left, err)
			}
		}
	}
}

func TestStops(t *testing.T) {
	for extension, write := range writers {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		cancel(stop)
		if err := write(ctx, io.Discard, input(t)); !errors.Is(err, stop) {
			t.Errorf("%s: %v", extension, err)
		}
	}
}

func TestName(t *testing.T) {
	for want, c := range map[string]struct{ version, platform string }{
		"api_1.2.3_linux_amd64":       {"v1.2.3", "linux/amd64"},
		"api_6.14.1_linux_arm_v7":     {"6.14.1", "linux/arm/v7"},
		"api_vanilla_windows_amd64":   {"vanilla", "windows/amd64"},
		"api_1.0.0-rc.1_darwin_arm64": {"v1.0.0-rc.1", "darwin/arm64"},
	} {
		p, err := plan.ParsePlatform(c.platform)
		if err != nil {
			t.Fatal(err)
		}
		if got := archive.Name("api", c.version, p); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	if archive.Extension("windows") != ".zip" || archive.Extension("linux") != ".tar.gz" || archive.Extension("darwin") != ".tar.gz" {
		t.Error("another extension than users expect")
	}
}

// Stock sha256sum checks what Checksums writes, and notices a change.
func TestChecksums(t *testing.T) {
	testtool.Program(t, "sha256sum")
	dir := t.TempDir()
	sums := map[string]string{}
	for _, name := range []string{"b.tar.gz", "a.zip", "c d.zip"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(name))
		sums[name] = hex.EncodeToString(sum[:])
	}
	list := archive.Checksums(sums)
	if names := strings.Fields(string(list)); names[1] != "a.zip" {
		t.Errorf("it is not sorted:\n%s", list)
	}
	if err := os.WriteFile(filepath.Join(dir, "checksums.txt"), list, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func() ([]byte, error) {
		cmd := testtool.Command(t, "sha256sum", "--strict", "-c", "checksums.txt")
		cmd.Dir = dir
		return cmd.CombinedOutput()
	}
	if out, err := check(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.zip"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := check(); err == nil {
		t.Errorf("a change was not noticed\n%s", out)
	}
}

func TestNotes(t *testing.T) {
	hash := strings.Repeat("0123456789", 4)
	got := string(archive.Notes(archive.Release{
		Version: "v1.1.0", Previous: "v1.0.0", Source: "https://example.com/acme/api",
		Commits: []archive.Commit{{hash, "Add *stars* and <b>[x](y)</b>"}, {hash, "fix #1"}, {hash, "https://evil.example ::error::\x1b[2J\u202e"}},
	}))
	want := `# v1.1.0

3 commits since v1.0.0.

- Add \*stars\* and &lt;b&gt;\[x\](y)&lt;/b&gt; ([012345678901](https://example.com/acme/api/commit/` + hash + `))
- fix \#1 ([012345678901](https://example.com/acme/api/commit/` + hash + `))
- https:\//evil.example :\\:error:\\:\\x1b\[2J\\u202e ([012345678901](https://example.com/acme/api/commit/` + hash + `))
`
	if got != want {
		t.Errorf("the notes are\n%s", got)
	}
	if got := string(archive.Notes(archive.Release{Version: "v1", Source: "https://example.com/a) <b>\n", Commits: []archive.Commit{{hash, "one"}}})); !strings.Contains(got, "(https://example.com/a%29%20%3Cb%3E%5Cn/commit/") {
		t.Errorf("the notes are\n%s", got)
	}
	if got := string(archive.Notes(archive.Release{Version: "v1", Commits: []archive.Commit{{hash, "one"}}})); got != "# v1\n\n1 commit.\n\n- one (012345678901)\n" {
		t.Errorf("the notes are\n%s", got)
	}
	if got := string(archive.Notes(archive.Release{Version: "v1", Previous: "v0"})); got != "# v1\n\nNo commits since v0.\n" {
		t.Errorf("the notes are\n%s", got)
	}
}

func BenchmarkArchive(b *testing.B) {
	for extension, write := range writers {
		b.Run(extension, func(b *testing.B) {
			in := input(b)
			b.SetBytes(3 << 20)
			b.ReportAllocs()
			for b.Loop() {
				if err := write(b.Context(), io.Discard, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

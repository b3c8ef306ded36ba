package compress

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

func unpackXZ(b []byte) ([]byte, error) {
	r, err := NewXZReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// packXZ is made by the stock program.
func packXZ(t testing.TB, content []byte, args ...string) []byte {
	t.Helper()
	cmd := testtool.Command(t, testtool.Program(t, "xz"), append([]string{"-c"}, args...)...)
	cmd.Stdin = bytes.NewReader(content)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("xz %v: %v", args, err)
	}
	return out
}

// some is content that compresses a little.
func some(size int) []byte {
	b, r := make([]byte, size), rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.IntN(1 + i>>10%40))
	}
	return b
}

// Whatever the stock program writes is read.
func TestXZ(t *testing.T) {
	for _, args := range [][]string{
		{"-0"}, {"-6"}, {"-9"}, {"-9e"}, {"--check=none"}, {"--check=crc32"}, {"--check=crc64"}, {"--check=sha256"},
		{"--block-size=100000"}, {"-T2", "--block-size=100000"}, {"--lzma2=dict=4KiB,lc=0,lp=2,pb=0"},
	} {
		for _, size := range []int{0, 300_000} {
			content := some(size)
			packed := packXZ(t, content, args...)
			if got, err := unpackXZ(packed); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%v of %d bytes: %d, %v", args, size, len(got), err)
			}
			several := bytes.Join([][]byte{packed, packXZ(t, []byte("second")), nil, packed}, make([]byte, 8))
			if got, err := unpackXZ(several); err != nil || !bytes.Equal(got, append(append(bytes.Clone(content), "second"...), content...)) {
				t.Errorf("streams of %v of %d bytes: %d, %v", args, size, len(got), err)
			}
		}
	}
}

// No byte of a file can be changed, or left out, without an error or with another content.
func TestXZDamaged(t *testing.T) {
	content := some(600)
	packed := packXZ(t, content, "-T2", "--block-size=200", "--check=crc32", "--lzma2=dict=4KiB")
	for i := range packed {
		changed := bytes.Clone(packed)
		changed[i] ^= 1
		if got, err := unpackXZ(changed); err == nil && !bytes.Equal(got, content) {
			t.Errorf("byte %d of %d is changed, and nothing is said", i, len(packed))
		}
		if _, err := unpackXZ(packed[:i]); err == nil {
			t.Errorf("it is cut off after %d of %d bytes, and nothing is said", i, len(packed))
		}
	}
	for _, more := range []string{"\x00", "\x00\x00\x00", "junk", "\x00\x00\x00\x00\xfd7z"} {
		if _, err := unpackXZ(append(bytes.Clone(packed), more...)); err == nil {
			t.Errorf("%q comes after it, and nothing is said", more)
		}
	}
}

// greedy makes the block that begins at a place want the largest dictionary.
func greedy(packed []byte, at int, bits byte) []byte {
	packed = bytes.Clone(packed)
	head := packed[at : at+(int(packed[at])+1)*4]
	i := bytes.Index(head, []byte{0x21, 1})
	head[i+2] = bits
	binary.LittleEndian.PutUint32(head[len(head)-4:], crc32.ChecksumIEEE(head[:len(head)-4]))
	return packed
}

// Whichever block asks for more memory than there is, it does not get it.
func TestXZMemory(t *testing.T) {
	content := some(3000)
	packed := packXZ(t, content, "--block-size=1000", "--check=crc32")
	// The blocks begin where their headers do: of equal size, since they were made alike.
	var blocks []int
	for i := 12; i < len(packed)-12; i += 4 {
		head := packed[i : i+min((int(packed[i])+1)*4, len(packed)-i)]
		if len(head) > 8 && crc32.ChecksumIEEE(head[:len(head)-4]) == binary.LittleEndian.Uint32(head[len(head)-4:]) {
			blocks = append(blocks, i)
		}
	}
	if len(blocks) != 3 {
		t.Fatalf("blocks are found at %v", blocks)
	}
	stream := packXZ(t, []byte("another"), "--check=crc32")
	for name, c := range map[string]struct {
		packed []byte
		want   string
	}{
		"the first block":        {greedy(packed, blocks[0], 40), "more than 64 MiB"},
		"the second block":       {greedy(packed, blocks[1], 40), "more than 64 MiB"},
		"the third block":        {greedy(packed, blocks[2], 29), "more than 64 MiB"},
		"just what may be":       {greedy(packed, blocks[2], 28), ""},
		"no dictionary at all":   {greedy(packed, blocks[1], 41), "more than 64 MiB"},
		"the second stream":      {append(bytes.Clone(packed), greedy(stream, 12, 40)...), "more than 64 MiB"},
		"one behind the padding": {append(append(bytes.Clone(packed), 0, 0, 0, 0), greedy(stream, 12, 40)...), "more than 64 MiB"},
		"many streams":           {bytes.Repeat(greedy(stream, 12, 28), 100), "come to more than 4 GiB"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := unpackXZ(c.packed)
		runtime.ReadMemStats(&after)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if taken := after.Sys - before.Sys; name != "many streams" && taken > 200<<20 {
			t.Errorf("%s takes %d MiB", name, taken>>20)
		}
	}
}

// FuzzXZ reads whatever there is: what is read without an error, the library reads as well,
// and to the same content.
func FuzzXZ(f *testing.F) {
	f.Add([]byte("\xfd7zXZ\x00"))
	for _, name := range []string{"first", "second"} {
		var b bytes.Buffer
		w, err := xz.NewWriter(&b)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte(name + strings.Repeat(" and more", 20))); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(append(append(bytes.Clone(b.Bytes()), 0, 0, 0, 0), b.Bytes()...))
		f.Add(greedy(b.Bytes(), 12, 40))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		r, err := NewXZReader(bytes.NewReader(packed))
		if err != nil {
			return
		}
		got, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil || len(got) == 1<<20 {
			return
		}
		theirs, err := xz.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatalf("the library refuses it: %v", err)
		}
		want, err := io.ReadAll(theirs)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("read are %q, and by the library %q, %v", got, want, err)
		}
	})
}

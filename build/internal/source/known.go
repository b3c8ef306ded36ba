package source

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/thimble-build/thimble/build/internal/filesum"
)

// If there are fewer and smaller assets than this, reading them is faster than reading the
// store.
const (
	manyAssets  = 1000
	largeAssets = 32 << 20 // bytes
)

// known remembers assets: a file with this stat data has the content of this object of the
// commit. It remembers only files that were as committed, and only if a later change would show
// in the stat data. It also remembers content for which the commit has a Git LFS pointer. A nil
// *known remembers nothing.
type known struct {
	store  filesum.Store
	key    string
	before map[string]knownFile // by place.file

	mu  sync.Mutex
	now map[string]knownFile
	old []byte // before, as stored
}

// knownFile has fields of a fixed size, as package binary requires.
type knownFile struct {
	State filesum.State
	Mode  uint32
	Size  uint8 // of the id in bytes
	ID    [32]byte
}

// recall reads what is remembered of the assets; nil if they are few and small.
func (c *Commit) recall(files []File, places []place, store filesum.Store) *known {
	if store == nil {
		return nil
	}
	count, size := 0, int64(0)
	for i, at := range places {
		if files[i].Asset && at.info != nil && at.info.Mode().IsRegular() {
			count, size = count+1, size+at.info.Size()
		}
	}
	if count <= manyAssets && size <= largeAssets {
		return nil
	}
	k := &known{store: store, key: knownKey(c.root), now: map[string]knownFile{}}
	k.old, _ = store.Get(k.key)
	k.before = decodeKnown(k.old)
	return k
}

func knownKey(root string) string { return "assets " + root }

// has reports whether the content of a file is the commit's, by its stat data.
func (k *known) has(at place) bool {
	if k == nil {
		return false
	}
	f, found := k.before[at.file]
	now, ok := knownOf(at)
	if !found || !ok || f != now {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now[at.file] = f
	return true
}

// add remembers a file that is as committed, by its stat data from before it was read.
func (k *known) add(at place, read time.Time) {
	if k == nil {
		return
	}
	f, ok := knownOf(at)
	if !ok || !f.State.Settled(read) {
		return
	}
	// Do not remember a file that has changed since the place was found.
	if info, err := os.Lstat(at.file); err != nil || !sameFile(info, f) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now[at.file] = f
}

func sameFile(info fs.FileInfo, f knownFile) bool {
	state, ok := filesum.StateOf(info)
	return ok && state == f.State && uint32(info.Mode()) == f.Mode
}

// knownOf returns the record for a file.
func knownOf(at place) (knownFile, bool) {
	state, ok := filesum.StateOf(at.info)
	if !ok {
		return knownFile{}, false
	}
	f := knownFile{State: state, Mode: uint32(at.info.Mode())}
	id, err := hex.DecodeString(at.entry.id)
	if err != nil || len(id) > len(f.ID) {
		return knownFile{}, false
	}
	f.Size = uint8(copy(f.ID[:], id))
	return f, true
}

// keep stores what is remembered, if it has changed.
func (k *known) keep() {
	if k == nil {
		return
	}
	if text := encodeKnown(k.now); !bytes.Equal(text, k.old) {
		k.store.Put(k.key, text)
	}
}

// encodeKnown writes for each file the length of its path, the path and a knownFile.
func encodeKnown(files map[string]knownFile) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
		b, _ = binary.Append(b, binary.LittleEndian, files[name]) // cannot fail: it has a fixed size
	}
	return b
}

// decodeKnown decodes what encodeKnown wrote, and ignores what it cannot read.
func decodeKnown(b []byte) map[string]knownFile {
	files := map[string]knownFile{}
	for len(b) > 0 {
		length, n := binary.Uvarint(b)
		if n <= 0 || uint64(len(b)-n) < length {
			return nil
		}
		name := string(b[n : n+int(length)])
		b = b[n+int(length):]
		var f knownFile
		read, err := binary.Decode(b, binary.LittleEndian, &f)
		if err != nil {
			return nil
		}
		files[name], b = f, b[read:]
	}
	return files
}

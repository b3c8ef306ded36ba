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

// Fewer assets, that are smaller together, are read faster than what is remembered of them
// is worth.
const (
	manyAssets  = 1000
	largeAssets = 32 << 20 // bytes
)

// known is what is remembered of assets: that a file with these stat data has the content of
// this object of the commit. Only a file that was as committed is remembered, and only if a
// change after it was read would show in the stat data. So is the content for which the commit
// has a pointer of Git LFS. A nil *known knows nothing.
type known struct {
	store  filesum.Store
	key    string
	before map[string]knownFile // by place.file

	mu  sync.Mutex
	now map[string]knownFile
	old []byte // before, as it is kept
}

// knownFile has fields of a fixed size, as package binary wants them.
type knownFile struct {
	State filesum.State
	Mode  uint32
	Size  uint8 // of the id in bytes
	ID    [32]byte
}

// recall reads what is remembered of the assets, if they are many or large; else nil.
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

// has says that the content of a file is the commit's, by its stat data.
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
	// What has changed since the place was found is not remembered as what it was.
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

// knownOf is what would be remembered of a file.
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

// keep keeps what is remembered now, if that is something else.
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
		b, _ = binary.Append(b, binary.LittleEndian, files[name]) // it has a fixed size
	}
	return b
}

// decodeKnown is the reverse; what cannot be read is not known.
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

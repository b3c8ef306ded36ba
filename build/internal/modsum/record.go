package modsum

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/filesum"
)

// record returns what is remembered of a module that matches its sum: the sum, and below it a line
// for each folder that has files, with its state and its name. It is "" if the system does not have
// the stat data.
func (f folder) record(sum string) string {
	states := f.states()
	if states == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(sum + "\n")
	for _, name := range slices.Sorted(maps.Keys(states)) {
		fmt.Fprintf(&b, "%s %s\n", states[name], name)
	}
	return b.String()
}

// states represents the names and stat data of the files of each folder, by its name; nil if the
// system does not have them.
func (f folder) states() map[string]string {
	content := map[string][]byte{}
	for _, x := range f.files {
		s, ok := filesum.StateOf(x.info)
		if !ok {
			return nil
		}
		in, name := path.Split(x.name)
		in = path.Clean(in)
		line := append(append(content[in], name...), 0)
		for _, n := range []uint64{s.Device, s.Inode, uint64(s.Size), uint64(s.Modified), uint64(s.Changed)} {
			line = binary.LittleEndian.AppendUint64(line, n)
		}
		content[in] = line
	}
	states := make(map[string]string, len(content))
	for in, text := range content {
		sum := sha256.Sum256(text)
		states[in] = hex.EncodeToString(sum[:])
	}
	return states
}

// unchanged reports whether the used folders of a module are as in its record.
func unchanged(ctx context.Context, dir string, m Module, record string) (bool, error) {
	sum, lines, _ := strings.Cut(record, "\n")
	if sum != m.Sum {
		return false, nil
	}
	now := folder{dir: dir}
	folders, deep := m.Folders, false
	if folders == nil {
		folders, deep = []string{"."}, true
	}
	for _, name := range folders {
		below := ""
		if name != "." {
			below = name + "/"
		}
		if err := now.add(ctx, below, deep); err != nil {
			return false, context.Cause(ctx) // the module is hashed, and that says what is wrong
		}
	}
	states := now.states()
	if states == nil {
		return false, nil
	}
	was := map[string]string{}
	for line := range strings.Lines(lines) {
		state, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		was[name] = state
	}
	if deep {
		return maps.Equal(states, was), nil
	}
	for _, name := range folders {
		if states[name] != was[name] {
			return false, nil
		}
	}
	return true, nil
}

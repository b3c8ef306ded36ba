package materials

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/plan"
)

// keptList is a list in the compiler's folder. Key identifies what was requested.
type keptList struct {
	Key     string
	Sources *List
}

func (s Source) file(platform plan.Platform) string {
	return filepath.Join(s.Folder, "sources", platform.Key()+".json")
}

// key returns everything that a list depends on, except the files.
func (s Source) key(platform plan.Platform) (string, error) {
	p := s.Draft.Plan
	key, err := json.Marshal(struct {
		Salt             string
		Platform         plan.Platform
		Toolchain        plan.Toolchain
		Mains            []golist.Main
		ModuleCache, Dir string
		Stable           bool
	}{s.Version, platform, p.Toolchain, s.Draft.Tree().Mains, s.Draft.Go.Setting("GOMODCACHE"),
		s.Draft.Dir, p.StableDigests()})
	return string(key), err
}

// Kept returns the list of an earlier run; nil if there is none for the same key, or if it is
// damaged. The source may have changed since.
func (s Source) Kept(platform plan.Platform) (*List, error) {
	key, err := s.key(platform)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(s.file(platform))
	if err != nil {
		return nil, nil // the list is made again; an error then is returned
	}
	sum, list, _ := bytes.Cut(content, []byte("\n"))
	if hash := sha256.Sum256(list); hex.EncodeToString(hash[:]) != string(sum) {
		return nil, nil
	}
	var kept keptList
	if err := json.Unmarshal(list, &kept); err != nil || kept.Key != key {
		return nil, nil
	}
	return kept.Sources, nil
}

func (s Source) keep(platform plan.Platform, l *List) error {
	key, err := s.key(platform)
	if err != nil {
		return err
	}
	list, err := json.Marshal(keptList{key, l})
	if err != nil {
		return err
	}
	file := s.file(platform)
	if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
		sum := sha256.Sum256(list)
		err = atomicfile.Write(file, fmt.Appendf(nil, "%x\n%s", sum, list), 0o644)
	}
	if err != nil {
		return fmt.Errorf("keep the list of sources: %w", err)
	}
	return nil
}

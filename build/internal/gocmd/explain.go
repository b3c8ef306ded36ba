package gocmd

import (
	"errors"
	"os"
	"regexp"
	"strings"

	"github.com/thimble-build/thimble/build/internal/process"
)

// notInStd is the go command's message if GOROOT has no such package. The message is the same if
// the package exists, but its index cannot be written into the build cache, because the go
// command drops that error: the disk is full, or another user owns a file of the cache.
var notInStd = regexp.MustCompile(`package \S+ is not in std \((.+)\)`)

// downloading matches what the go command says while it downloads modules.
var downloading = regexp.MustCompile(`(?m)^go: (downloading|finding|extracting) \S+ \S+\n?`)

// Explain adds missing facts to the error of a go command, and removes the list of downloads.
func (g *Go) Explain(err error) error {
	failed := new(process.Error)
	if !errors.As(err, &failed) {
		return err
	}
	if text := strings.TrimSpace(downloading.ReplaceAllString(failed.Stderr, "")); text != failed.Stderr {
		shorter := *failed
		shorter.Stderr = text
		failed, err = &shorter, &shorter
	}
	found := notInStd.FindStringSubmatch(failed.Stderr)
	if found == nil {
		return err
	}
	if info, statErr := os.Stat(found[1]); statErr != nil || !info.IsDir() {
		return err
	}
	explained := *failed
	explained.Stderr += "\n" + found[1] + " exists, but the go command cannot write to its build cache " +
		g.Setting("GOCACHE") +
		"; free space on its disk, make the user who builds the owner of its files, or set GOCACHE to " +
		"another folder"
	return &explained
}

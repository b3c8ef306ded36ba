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

// notRequired matches the message about a package that go.mod lacks a module for. It names the flag
// -mod=readonly, which thimble sets.
var notRequired = regexp.MustCompile(
	`cannot find module providing package (\S+): import lookup disabled by -mod=readonly`)

// Explain adds missing facts to the error of a go command, removes the list of downloads, and says
// how to add a module that go.mod does not require, as the go command does without flags.
func (g *Go) Explain(err error) error {
	failed := new(process.Error)
	if !errors.As(err, &failed) {
		return err
	}
	text := strings.TrimSpace(downloading.ReplaceAllString(failed.Stderr, ""))
	text = notRequired.ReplaceAllString(text,
		"no required module provides package $1; to add it:\n\tgo get $1")
	if text != failed.Stderr {
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

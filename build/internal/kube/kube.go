// Package kube replaces the names of images in manifests of Kubernetes by the digests of a release
// that verifies. It takes the manifests, says which images they name ([Names]), asks the registry
// for these images and verifies them, and returns the manifests with only those names changed. It
// builds nothing and applies nothing.
package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/verify"
	"github.com/thimble-build/thimble/build/internal/yamlscalar"
)

// Request says what to resolve, and with which release.
type Request struct {
	// Files are files or folders, or "-" for Stdin. Recursive includes the folders in folders.
	Files     []string
	Recursive bool
	Stdin     io.Reader
	// From is the tag of the release; empty for the release in the output folder, or in Lock.
	From string
	// Bare also replaces names without a repository.
	Bare bool
	// Lock is a file for what was resolved; none if empty. Without From, an existing file is
	// used instead of a release.
	Lock string
	// Verify says whose signature is expected.
	Verify verify.Expectation
}

// Resolve returns the manifests with the digests, as one stream of YAML.
func Resolve(ctx context.Context, s *session.Session, r Request) ([]byte, error) {
	files, err := read(s, r.Files, r.Recursive, r.Stdin)
	if err != nil {
		return nil, err
	}
	from, err := open(ctx, s, r)
	if err != nil {
		return nil, err
	}
	names := newNames(from, r.Bare)
	wanted, err := names.wanted(s, files)
	if err != nil {
		return nil, err
	}
	trust, keys, err := from.trust(s, r.Verify)
	if err != nil {
		return nil, err
	}
	digests, err := from.verify(ctx, s, wanted, trust)
	if err != nil {
		return nil, err
	}
	var streams [][]byte
	err = s.Stage("replace", func() (string, error) {
		total := 0
		for _, f := range files {
			changed, n, err := yamlscalar.Replace(f.data, names.digests(digests))
			if err != nil {
				return "", f.explain(err)
			}
			streams, total = append(streams, changed), total+n
		}
		return progress.Count(total, "place") + " in " + progress.Count(len(files), "file"), nil
	})
	if err != nil {
		return nil, err
	}
	joined, err := yamlscalar.Join(streams)
	if err != nil {
		return nil, fmt.Errorf("resolve: %w", err)
	}
	if r.Lock != "" && !from.replayed {
		if err := from.writeLock(s.Path(r.Lock), keys, wanted, digests); err != nil {
			return nil, err
		}
	}
	return joined, nil
}

// explain adds the file to the error of a manifest, and what to do about a template.
func (f file) explain(err error) error {
	if errors.Is(err, yamlscalar.ErrSyntax) && bytes.Contains(f.data, []byte("{{")) {
		return fmt.Errorf(
			"resolve %s: %w; if it is a template, render it first: helm template … | mage resolve -f=-",
			f.name, err)
	}
	return fmt.Errorf("resolve %s: %w", f.name, err)
}

// wanted returns the images that the files name, each once, in the order of the text.
func (n names) wanted(s *session.Session, files []file) ([]target, error) {
	var all []target
	seen := map[target]bool{}
	for _, f := range files {
		_, _, err := yamlscalar.Replace(f.data, func(scalar yamlscalar.Scalar) (string, bool, error) {
			t, found, err := n.find(scalar)
			if found && !seen[t] {
				seen[t] = true
				all = append(all, t)
			}
			if !found && strings.Contains(scalar.Value, scheme) && err == nil {
				s.Progress.Notice(fmt.Sprintf("%s:%d: %s is in the middle of a text, and stays", f.name,
					scalar.Line, scheme))
			}
			return "", false, err
		})
		if err != nil {
			return nil, f.explain(err)
		}
	}
	if len(all) == 0 {
		s.Progress.Notice("no manifest names an image of " + n.release)
	}
	return all, nil
}

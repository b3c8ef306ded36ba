package kube

import (
	"context"
	"fmt"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/verify"
)

// verify verifies the images that manifests name, and returns their digests.
func (f source) verify(ctx context.Context, s *session.Session, wanted []target, want verify.Expectation) (map[target]string, error) {
	cfg := s.Config.Release
	if f.key != "" && len(want.Keys) == 0 && want.Identity == (attest.Identity{}) && len(cfg.TrustKeys) == 0 && cfg.Keyless == nil {
		want.Keys = []string{f.key}
	}
	digests, byImage := map[target]string{}, map[string]target{}
	for _, t := range wanted {
		ref := f.reference(t)
		host, _, _ := strings.Cut(t.repository, "/")
		if f.replayed && s.Reach("verify "+ref, host) != nil {
			s.Progress.Notice("not verified again, because of -offline: " + ref)
			digests[t] = f.digest(t.image)
			continue
		}
		err := s.Stage("verify "+ref, func() (string, error) {
			report, err := verify.Image(ctx, s, ref, want)
			if err == nil {
				digests[t] = report.Digest
				return progress.Count(len(report.Checks), "check"), nil
			}
			if report != nil {
				err = report.Refusal(err)
			}
			return "", err
		})
		if err != nil {
			return nil, fmt.Errorf("resolve: %w", err)
		}
		if other, ok := byImage[t.image]; ok && digests[other] != digests[t] {
			return nil, fmt.Errorf("resolve: %s of %s is another image than in %s: %s and %s", f.version, t.repository, other.repository, digests[t], digests[other])
		}
		byImage[t.image] = t
	}
	return digests, nil
}

// reference returns the reference to verify: by digest, if that is known.
func (f source) reference(t target) string {
	if digest := f.digest(t.image); digest != "" {
		return t.repository + "@" + digest
	}
	return t.repository + ":" + f.tag
}

func (f source) digest(name string) string {
	for _, img := range f.images {
		if img.Name == name {
			return img.Digest
		}
	}
	return ""
}

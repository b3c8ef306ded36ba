package kube

import (
	"context"
	"fmt"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/verify"
)

// trust returns the expectation with the keys of the source, if the user expects nobody, and the
// keys that count then, in PEM.
func (f source) trust(s *session.Session, want verify.Expectation) (verify.Expectation, []string, error) {
	cfg := s.Config.Release
	files := want.Keys
	if len(files) == 0 && want.Identity == (attest.Identity{}) {
		files = cfg.TrustKeys
		if len(files) == 0 && cfg.Keyless == nil {
			for _, pem := range f.keys {
				key, err := attest.ParsePublicKey([]byte(pem))
				if err != nil {
					return want, nil, fmt.Errorf("read the key of %s: %w", f.shown, err)
				}
				want.PublicKeys = append(want.PublicKeys, key)
			}
			return want, f.keys, nil
		}
	}
	var keys []string
	for _, file := range files {
		key, err := signing.ReadPublicKey(s.Path(file))
		if err != nil {
			return want, nil, err
		}
		keys = append(keys, string(key.PEM()))
	}
	return want, keys, nil
}

// expects reports whether the user says whose signature is expected, or of which source.
func expects(want verify.Expectation) bool {
	return len(want.Keys) > 0 || want.Identity != attest.Identity{} || want.TrustedRoot != "" ||
		want.Source != ""
}

// verify verifies the images that manifests name, and returns their digests. The images of a lock
// that -offline does not let it read are not verified; that is an error if the user expects a signer.
func (f source) verify(ctx context.Context, s *session.Session, wanted []target,
	want verify.Expectation) (map[target]string, error) {
	digests, byImage := map[target]string{}, map[string]target{}
	for _, t := range wanted {
		ref := f.reference(t)
		host, _, _ := strings.Cut(t.repository, "/")
		if unreachable := s.Reach("verify "+ref, host); f.replayed && unreachable != nil {
			if expects(want) {
				return nil, fmt.Errorf("resolve: %w; or omit the flags that say whose signature is expected, "+
					"to use the lock without a verification", unreachable)
			}
			s.Progress.Notice(ref + " is not verified, because of -offline; its digest is from " + f.shown)
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
			return nil, fmt.Errorf("resolve: %s of %s is another image than in %s: %s and %s", f.version,
				t.repository, other.repository, digests[t], digests[other])
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

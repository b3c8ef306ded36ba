package build_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// evidence counts what is stored about each digest of an image, by kind: "signature" and
// "attestation TYPE" in cosign's tags, and "bundle TYPE" as referrers. It is read with
// nothing of the product's code.
func evidence(c *registrytest.Content, host, repository, root string) (map[string]map[string]int, error) {
	digests := []string{root}
	for _, child := range c.Manifests[root].Manifests {
		digests = append(digests, child.Digest)
	}
	all := map[string]map[string]int{}
	for _, digest := range digests {
		found := map[string]int{}
		all[digest] = found
		tag := strings.Replace(digest, ":", "-", 1)
		for range c.Manifests[c.Tags[tag+".sig"]].Layers {
			found["signature"]++
		}
		for _, layer := range c.Manifests[c.Tags[tag+".att"]].Layers {
			var envelope struct{ Payload string }
			if err := json.Unmarshal(c.Blobs[layer.Digest], &envelope); err != nil {
				return nil, err
			}
			predicate, err := predicateOf(envelope.Payload, digest)
			if err != nil {
				return nil, fmt.Errorf("%s.att: %w", tag, err)
			}
			found["attestation "+predicate]++
		}
		referrers, err := c.Referrers(host, repository, digest)
		if err != nil {
			return nil, err
		}
		for _, r := range referrers {
			if r.Subject == nil || r.Subject.Digest != digest {
				return nil, fmt.Errorf("a referrer of %s has the subject %v", digest, r.Subject)
			}
			for _, layer := range r.Layers {
				var bundle struct {
					DSSEEnvelope struct{ Payload string } `json:"dsseEnvelope"`
				}
				if err := json.Unmarshal(c.Blobs[layer.Digest], &bundle); err != nil {
					return nil, err
				}
				predicate, err := predicateOf(bundle.DSSEEnvelope.Payload, digest)
				if err != nil {
					return nil, fmt.Errorf("a bundle of %s: %w", digest, err)
				}
				found["bundle "+predicate]++
			}
		}
	}
	return all, nil
}

// predicateOf is the predicate's type of a statement about a digest.
func predicateOf(payload, digest string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		return "", err
	}
	var statement struct {
		PredicateType string
		Subject       []struct{ Digest map[string]string }
	}
	if err := json.Unmarshal(raw, &statement); err != nil {
		return "", err
	}
	if len(statement.Subject) != 1 || "sha256:"+statement.Subject[0].Digest["sha256"] != digest {
		return "", fmt.Errorf("it is about %v", statement.Subject)
	}
	return statement.PredicateType, nil
}

// faulted is a release whose requests fail, and what one must leave that does not.
type faulted struct {
	host, repository string
	options          settings
	tags             []string
	// want is the evidence of a clean release: digests are reproducible.
	want map[string]map[string]int
}

// look compares what a release said, nil for success, with what the registry has. Every
// tag must point to what is there, a reader's tag to what is there with all its evidence,
// and the error must be true.
func (f *faulted) look(t testing.TB, said error) error {
	c, err := registrytest.Inspect(f.host, f.repository)
	if err != nil {
		return err
	}
	moved, unsure := movedBy(said)
	if said == nil {
		moved = f.tags
	}
	for _, tag := range f.tags {
		at, there := c.Tags[tag]
		if slices.Contains(moved, tag) != there && tag != unsure {
			err = errors.Join(err, fmt.Errorf("the tag %s is there: %t", tag, there))
		}
		if there {
			err = errors.Join(err, f.has(c, at))
			report, failed := build.Verify(t.Context(), verifying(build.Options{Workdir: t.TempDir(), Env: environment()},
				build.VerifyOptions{Keys: []string{publicOf(f.options.Config.Release.Key)}}), f.host+"/"+f.repository+":"+tag)

			if failed != nil {
				err = errors.Join(err, fmt.Errorf("the tag %s: %w (%+v)", tag, failed, report))
			}
		}
	}
	if said != nil && strings.Contains(said.Error(), "is there and verified") {
		err = errors.Join(err, f.has(c, slices.Collect(maps.Keys(f.want))...))
	}
	return err
}

// has says what of the evidence about a digest is missing. There may be more of it.
func (f *faulted) has(c *registrytest.Content, digests ...string) (err error) {
	for _, root := range digests {
		if _, ok := f.want[root]; !ok {
			return fmt.Errorf("a tag points to %s, which is no image of this release", root)
		}
		if len(c.Manifests[root].Manifests) == 0 {
			continue // a platform: it is looked at with its index
		}
		got, failed := evidence(c, f.host, f.repository, root)
		if failed != nil {
			return failed
		}
		for digest, want := range f.want {
			for kind, n := range want {
				if got[digest][kind] < n {
					err = errors.Join(err, fmt.Errorf("%s has %d of %s, want %d", digest, got[digest][kind], kind, n))
				}
			}
		}
	}
	return err
}

var moved = regexp.MustCompile(`\((?:moved already: ([^;)]*))?(?:; )?(?:may have been moved: ([^)]*))?\)`)

// movedBy is what the error of a release says of the tags.
func movedBy(err error) (tags []string, unsure string) {
	if err == nil {
		return nil, ""
	}
	found := moved.FindStringSubmatch(err.Error())
	if found == nil {
		return nil, ""
	}
	if found[1] != "" {
		tags = strings.Split(found[1], ", ")
	}
	return tags, found[2]
}

// faultedRelease is a release to a registry whose clean evidence is known.
func faultedRelease(t testing.TB, host string) (*faulted, *registrytest.Proxy) {
	t.Helper()
	o, p := killable(t, host)
	f := &faulted{host: host, repository: "acme/hello", options: o, tags: []string{"v1.2.3", "latest"}}
	r, err := build.Release(t.Context(), o.release())
	ok(t, err)
	c, err := registrytest.Inspect(host, f.repository)
	ok(t, err)
	f.want, err = evidence(c, host, f.repository, r.Images[0].Digest)
	ok(t, err)
	for digest, kinds := range f.want {
		if kinds["signature"] != 1 || len(kinds) < 10 {
			t.Fatalf("a clean release has about %s only %v", digest, kinds)
		}
	}
	return f, p
}

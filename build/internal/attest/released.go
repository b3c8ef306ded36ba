package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/mod/semver"
)

// Released is the predicate of type [ReleaseType]: what a release says about a digest that it
// tags. docs/verifying.md describes it.
type Released struct {
	// Image is the image's name in the plan. Images are the names of all images of the plan,
	// sorted.
	Image  string   `json:"image"`
	Images []string `json:"images"`
	// Version is the release's, such as v1.2.3.
	Version string `json:"version"`
	// Tags are the tags that the release sets, sorted.
	Tags []string `json:"tags"`
}

// Statement returns the statement to sign. A stored statement is sufficient if it says the same
// about all these tags; it may contain more tags.
func (r Released) Statement() (Statement, error) {
	r.Images, r.Tags = sorted(r.Images), sorted(r.Tags)
	predicate, err := json.Marshal(r)
	if err != nil {
		return Statement{}, fmt.Errorf("encode release statement: %w", err)
	}
	return Statement{PredicateType: ReleaseType, Predicate: predicate,
		Suffices: func(stored json.RawMessage) bool {
			s, err := readReleased(stored)
			return err == nil && s.Image == r.Image && s.Version == r.Version &&
				slices.Equal(sorted(s.Images), r.Images) &&
				!slices.ContainsFunc(r.Tags, func(tag string) bool { return !slices.Contains(s.Tags, tag) })
		}}, nil
}

func sorted(s []string) []string { return slices.Compact(slices.Sorted(slices.Values(s))) }

func readReleased(predicate json.RawMessage) (Released, error) {
	var r Released
	if err := json.Unmarshal(predicate, &r); err != nil {
		return r, fmt.Errorf("the release statement cannot be read: %w", err)
	}
	if r.Image == "" || r.Version == "" {
		return r, errors.New("the release statement has no image or no version")
	}
	return r, nil
}

// names reports whether the release has this tag or version.
func (r Released) names(tag string) bool {
	return slices.Contains(r.Tags, tag) || isVersion(tag) &&
		strings.TrimPrefix(tag, "v") == strings.TrimPrefix(r.Version, "v")
}

// isVersion reports whether a tag is a version of Semantic Versioning 2.0, with or without a
// leading v. Such a tag identifies one release; v1 or latest do not.
func isVersion(tag string) bool {
	tag = strings.TrimPrefix(tag, "v")
	core, _, _ := strings.Cut(tag, "-")
	return strings.Count(core, ".") == 2 && semver.IsValid("v"+tag)
}

// Reference is the name by which an image was requested.
type Reference struct {
	// Repository is the path of the repository. Tag is the tag, if there was one.
	Repository, Tag string
}

// Check compares the name with the releases of the digest, each with the repositories that it
// was signed for. It returns an error if the tag is a version that no release has, or if the
// repository has the name of another image of one of their plans. Any other tag or repository
// is allowed.
func (r Reference) Check(releases []Released, signedFor []string) error {
	if r.Tag != "" && isVersion(r.Tag) && !slices.ContainsFunc(releases,
		func(s Released) bool { return s.names(r.Tag) }) {
		if len(releases) == 0 {
			return fmt.Errorf(
				"the tag %s is a version, but no release of this digest by an expected signer has that "+
					"version", r.Tag)
		}
		return fmt.Errorf("the tag %s is a version, but this digest was released as %s",
			r.Tag, describe(releases))
	}
	last := path.Base(r.Repository)
	own := func(s Released) bool { return s.Image == last }
	another := func(s Released) bool { return slices.Contains(s.Images, last) }
	configured := func(name string) bool { return path.Base(name) == last }
	if r.Repository != "" && !slices.ContainsFunc(releases, own) &&
		!slices.ContainsFunc(signedFor, configured) && slices.ContainsFunc(releases, another) {
		return fmt.Errorf("the repository has the name of the image %s, but this digest was released as %s",
			last, describe(releases))
	}
	return nil
}

// describe returns images and versions as text, the oldest version first.
func describe(releases []Released) string {
	releases = slices.Clone(releases)
	slices.SortFunc(releases, func(a, b Released) int {
		if order := strings.Compare(a.Image, b.Image); order != 0 {
			return order
		}
		return semver.Compare("v"+strings.TrimPrefix(a.Version, "v"), "v"+strings.TrimPrefix(b.Version, "v"))
	})
	var all []string
	for _, r := range releases {
		all = append(all, r.Image+" "+r.Version)
	}
	return strings.Join(slices.Compact(all), ", ")
}

// released checks the name by which an image was requested, and reports which release it is.
// Only statements of an expected signer count.
func (v *verification) released(root subject, found []*finding) {
	var releases []Released
	var signedFor, signers []string
	for _, f := range found {
		if !f.ok() || f.statement.PredicateType != ReleaseType {
			continue
		}
		r, err := readReleased(f.statement.Predicate)
		if err != nil {
			v.add(root.check("release", f.form, Failed, oneLine(err)))
			continue
		}
		releases, signers = append(releases, r), append(signers, f.signer)
		signedFor = append(signedFor, f.statement.names(root.Descriptor.Digest)...)
	}
	if err := v.policy.Reference.Check(releases, signedFor); err != nil {
		v.add(root.check("release", "", Failed, oneLine(err)))
	} else if len(releases) > 0 {
		v.add(root.check("release", "", Passed, describe(releases)+", by "+joinDistinct(signers)))
	} else if v.policy.Reference.Tag != "" {
		v.add(root.check("release", "", Ignored,
			"no statement by an expected signer says which version this is"))
	}
}

// names returns the names under which a statement is about a digest.
func (s *inToto) names(digest v1.Hash) []string {
	var all []string
	for _, r := range s.Subject {
		if r.Digest[digest.Algorithm] == digest.Hex && r.Name != "" {
			all = append(all, r.Name)
		}
	}
	return all
}

package attest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Manifest is a manifest as it was read, and what is stored about it.
type Manifest struct {
	// Descriptor is what named the manifest: the reference's digest, or the index's
	// entry with its platform.
	Descriptor v1.Descriptor
	Raw        []byte
	Stored     Stored
}

// Material is everything that was read of one reference.
type Material struct {
	// Name is the repository, for the report.
	Name string
	// Root is an image or an index, Children are the images of an index, in any order.
	Root     Manifest
	Children []Manifest
}

// Policy says what an image must have to pass.
type Policy struct {
	Trust Trust
	// Forms must each hold everything; with none, it suffices that any form holds it.
	Forms []Form
	// Image and Index are the predicate types that each image and the index must be
	// attested with, besides being signed. Nil is, for an image, SPDX, CycloneDX and
	// provenance, and for an index, provenance; an empty slice asks for none.
	Image, Index []string
	// Source is the repository that every provenance must name, in any of git's
	// spellings; with none, any will do.
	Source string
	// Binary gives the sha256, in hex, of the service's executable in an image of this
	// descriptor, or "" where it starts none; every SBOM must name it. When nil, an SBOM
	// must name some file by its sha256.
	Binary func(ctx context.Context, image v1.Descriptor) (string, error)
	// Content says what is wrong with the configuration or a layer of an image, each of
	// which must have the digest that its manifest names. When nil, this is left to
	// whoever pulls the image.
	Content func(ctx context.Context, image v1.Descriptor) error
}

// Verify checks what was read as a stranger would, who knows only the policy. It needs
// no network. The report has every check; the error is an [ErrRefused] when one of them
// failed, and another one when nothing could be checked at all.
func Verify(ctx context.Context, m Material, p Policy) (Report, error) {
	report := Report{Name: m.Name, Digest: m.Root.Descriptor.Digest.String()}
	if err := p.Trust.check(); err != nil {
		return report, fmt.Errorf("verify %s: %w", m.Name, err)
	}
	if p.Image == nil {
		p.Image = []string{SPDXType, CycloneDXType, ProvenanceType}
	}
	if p.Index == nil {
		p.Index = []string{ProvenanceType}
	}
	v := &verification{policy: p, report: &report, sboms: map[[sha256.Size]byte]parsed{}}
	if err := v.all(ctx, m); err != nil {
		return report, fmt.Errorf("verify %s: %w", m.Name, err)
	}
	return report, report.Err()
}

type verification struct {
	policy Policy
	report *Report
	sboms  map[[sha256.Size]byte]parsed
}

// parsed is what came of parsing an SBOM.
type parsed struct {
	hashes []string
	err    error
}

// parse parses an SBOM once, in however many forms and for however many subjects it is
// stored.
func (v *verification) parse(predicateType string, predicate json.RawMessage) ([]string, error) {
	key := sha256.Sum256(append([]byte(predicateType+"\n"), predicate...))
	p, ok := v.sboms[key]
	if !ok {
		p.hashes, p.err = sbomHashes(predicateType, predicate)
		v.sboms[key] = p
	}
	return p.hashes, p.err
}

// subject is a manifest under verification, and the executables that it holds.
type subject struct {
	Manifest
	required []string
	binaries []executable
	// damaged is what is wrong with the content.
	damaged error
}

// executable is what the image for a platform starts; platform is the image's digest
// where an index names none.
type executable struct{ sha256, platform string }

func (s subject) check(name string, form Form, outcome Outcome, detail string) Check {
	c := Check{Check: name, Subject: s.Descriptor.Digest.String(), Form: form, Outcome: outcome, Detail: detail}
	if s.Descriptor.Platform != nil {
		c.Platform = s.Descriptor.Platform.String()
	}
	return c
}

func (v *verification) add(c ...Check) { v.report.Checks = append(v.report.Checks, c...) }

func (v *verification) all(ctx context.Context, m Material) error {
	root := subject{Manifest: m.Root, required: v.policy.Image}
	if !root.Descriptor.MediaType.IsIndex() {
		if root.Descriptor.MediaType != "" && !root.Descriptor.MediaType.IsImage() {
			return fmt.Errorf("%s is neither an image nor an index", root.Descriptor.MediaType)
		}
		if err := v.look(ctx, &root); err != nil {
			return err
		}
		v.image(ctx, root)
		return nil
	}
	root.required = v.policy.Index
	if !v.manifest(root) {
		return nil
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(m.Root.Raw, &index); err != nil {
		v.add(root.check("manifest", "", Failed, "it is not an index: "+err.Error()))
		return nil
	}
	if len(index.Manifests) == 0 {
		v.add(root.check("platforms", "", Failed, "the index is empty"))
	}
	var images []subject
	for _, d := range index.Manifests {
		s := subject{Manifest: Manifest{Descriptor: d}, required: v.policy.Image}
		at := slices.IndexFunc(m.Children, func(c Manifest) bool { return c.Descriptor.Digest == d.Digest })
		if at < 0 {
			v.add(s.check("platforms", "", Failed, "the index has this image, and it was not found"))
			continue
		}
		s.Raw, s.Stored = m.Children[at].Raw, m.Children[at].Stored
		if err := v.look(ctx, &s); err != nil {
			return err
		}
		root.binaries = append(root.binaries, s.binaries...)
		images = append(images, s)
	}
	v.described(ctx, root)
	for _, s := range images {
		v.image(ctx, s)
	}
	return nil
}

// look looks into an image: a damaged one has no executable.
func (v *verification) look(ctx context.Context, s *subject) error {
	if v.policy.Content != nil {
		if s.damaged = v.policy.Content(ctx, s.Descriptor); s.damaged != nil {
			return context.Cause(ctx)
		}
	}
	return v.binary(ctx, s)
}

// image checks an image that was looked into.
func (v *verification) image(ctx context.Context, s subject) {
	switch {
	case !v.manifest(s):
		return
	case s.damaged != nil:
		v.add(s.check("content", "", Failed, oneLine(s.damaged)))
		return
	case v.policy.Content != nil:
		v.add(s.check("content", "", Passed, "configuration and layers have their digests"))
	}
	v.described(ctx, s)
}

func (v *verification) binary(ctx context.Context, s *subject) error {
	if v.policy.Binary == nil {
		return nil
	}
	sum, err := v.policy.Binary(ctx, s.Descriptor)
	if err != nil {
		return fmt.Errorf("find the executable of %s: %w", s.Descriptor.Digest, err)
	}
	if sum != "" {
		e := executable{strings.ToLower(sum), s.Descriptor.Digest.String()}
		if s.Descriptor.Platform != nil {
			e.platform = s.Descriptor.Platform.String()
		}
		s.binaries = append(s.binaries, e)
	}
	return nil
}

// manifest compares a manifest with its digest, and with what it was given as: what a
// registry calls an image, and others read as an index, is nobody's to verify
// (OCI image-spec 1.1, the property mediaType).
func (v *verification) manifest(s subject) bool {
	if got := sha256Of(s.Raw); got != s.Descriptor.Digest {
		v.add(s.check("manifest", "", Failed, fmt.Sprintf("its content is %s", got)))
		return false
	}
	var is struct {
		MediaType         types.MediaType `json:"mediaType"`
		Manifests, Layers json.RawMessage
	}
	if err := json.Unmarshal(s.Raw, &is); err != nil {
		v.add(s.check("manifest", "", Failed, "it is no manifest: "+oneLine(err)))
		return false
	}
	given := s.Descriptor.MediaType
	switch {
	case given != "" && is.MediaType != "" && is.MediaType != given:
		v.add(s.check("manifest", "", Failed, fmt.Sprintf("it is given as %s, and says that it is %s", given, is.MediaType)))
	case given == "" && is.Manifests != nil:
		v.add(s.check("manifest", "", Failed, "it is an index, and what names it does not say so"))
	case is.Manifests != nil && is.Layers != nil, is.Manifests != nil && !given.IsIndex():
		v.add(s.check("manifest", "", Failed, "it can be read as an index and as an image"))
	default:
		v.add(s.check("manifest", "", Passed, "its content has this digest"))
		return true
	}
	return false
}

// described checks a subject's signature and attestations.
func (v *verification) described(ctx context.Context, s subject) {
	found := s.Stored.findings(ctx, s.Descriptor.Digest, v.policy.Trust, v.policy.Trust)
	forms := v.policy.Forms
	if len(forms) == 0 {
		forms = []Form{""} // any
	}
	for _, form := range forms {
		for _, predicateType := range append([]string{SignatureType}, s.required...) {
			v.require(s, form, predicateType, found)
		}
	}
	for _, f := range found {
		v.judge(s, f)
	}
}

// require looks for one valid statement of a type.
func (v *verification) require(s subject, form Form, predicateType string, found []*finding) {
	var reasons []string
	for _, f := range found {
		if form != "" && f.form != form {
			continue
		}
		if f.ok() && f.statement.PredicateType == predicateType {
			v.add(s.check(checkName(predicateType), form, Passed, "by "+f.signer))
			return
		}
		switch {
		case f.damaged != nil:
			reasons = append(reasons, oneLine(f.damaged))
		case f.statement != nil && f.statement.PredicateType != predicateType:
		case f.foreign != nil && (f.statement != nil || predicateType == SignatureType):
			reasons = append(reasons, oneLine(f.foreign))
		case f.misplaced != nil:
			reasons = append(reasons, oneLine(f.misplaced))
		}
	}
	detail := "there is none"
	if form != "" {
		detail += " in the form " + string(form)
	}
	if len(reasons) > 0 {
		detail = "none is valid: " + joinDistinct(reasons)
	}
	v.add(s.check(checkName(predicateType), form, Failed, detail))
}

// judge checks the content of what is stored, whether or not the policy asks for it:
// what an expected signer has said must be true, and nothing may be damaged.
func (v *verification) judge(s subject, f *finding) {
	switch {
	case f.damaged != nil:
		v.add(s.check("stored", f.form, Failed, f.source+" is damaged: "+oneLine(f.damaged)))
		return
	case f.foreign != nil:
		v.add(s.check("stored", f.form, Ignored, f.source+": "+oneLine(f.foreign)))
		return
	case f.misplaced != nil:
		v.add(s.check("stored", f.form, Failed, fmt.Sprintf("%s belongs to something else: %s", f.source, oneLine(f.misplaced))))
		return
	}
	switch f.statement.PredicateType {
	case SPDXType, CycloneDXType:
		v.add(v.content(s, f))
	case ProvenanceType:
		if err := v.source(f.statement.Predicate); err != nil {
			v.add(s.check("source", f.form, Failed, oneLine(err)))
		} else if v.policy.Source != "" {
			v.add(s.check("source", f.form, Passed, repository(v.policy.Source)))
		}
	}
}

// content checks an SBOM: an index has one for each platform, and the check says which.
func (v *verification) content(s subject, f *finding) Check {
	name := checkName(f.statement.PredicateType) + " content"
	hashes, err := v.parse(f.statement.PredicateType, f.statement.Predicate)
	switch {
	case err != nil:
		return s.check(name, f.form, Failed, oneLine(err))
	case v.policy.Binary == nil:
		return s.check(name, f.form, Passed, fmt.Sprintf("readable, with %d files by sha256", len(hashes)))
	case len(s.binaries) == 0:
		return s.check(name, f.form, Failed, "the image starts no executable that it could name")
	}
	var platforms, wanted []string
	for _, b := range s.binaries {
		wanted = append(wanted, "sha256:"+b.sha256)
		if slices.Contains(hashes, b.sha256) {
			platforms = append(platforms, b.platform)
		}
	}
	switch {
	case len(platforms) == 0:
		return s.check(name, f.form, Failed, "it does not name the image's executable, "+strings.Join(wanted, " or "))
	case !s.Descriptor.MediaType.IsIndex():
		return s.check(name, f.form, Passed, "names the image's executable")
	}
	c := s.check(name, f.form, Passed, "names the executable of "+strings.Join(platforms, " and "))
	c.Executables = platforms
	return c
}

func (v *verification) source(predicate json.RawMessage) error {
	if v.policy.Source == "" {
		return nil
	}
	got, err := sources(predicate)
	if err != nil {
		return err
	}
	if want := repository(v.policy.Source); len(got) != 1 || got[0] != want {
		return errors.New("it was built from " + strings.Join(got, " and ") + ", not from " + want)
	}
	return nil
}

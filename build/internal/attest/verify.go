package attest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// Manifest is a manifest, with everything stored about it.
type Manifest struct {
	// Descriptor names the manifest: it has the reference's digest, or is the index's entry
	// with its platform.
	Descriptor v1.Descriptor
	Raw        []byte
	Stored     Stored
}

// Evidence is everything that was read of one reference.
type Evidence struct {
	// Name is the repository, for the report.
	Name string
	// Root is an image or an index, Children are the images of an index, in any order.
	Root     Manifest
	Children []Manifest
}

// Subjects returns the image or index, and the images of the index, without statements.
func (m Evidence) Subjects() []Subject {
	var subjects []Subject
	for _, of := range append([]Manifest{m.Root}, m.Children...) {
		subjects = append(subjects, Subject{Name: m.Name, Descriptor: of.Descriptor, Stored: of.Stored})
	}
	return subjects
}

// Find returns the manifest with a digest; nil if it was not read.
func (m Evidence) Find(digest v1.Hash) []byte {
	for _, of := range append([]Manifest{m.Root}, m.Children...) {
		if of.Descriptor.Digest == digest {
			return of.Raw
		}
	}
	return nil
}

// Policy says what an image must have to pass.
type Policy struct {
	Trust Trust
	// Forms must each contain everything; if empty, any form is enough.
	Forms []Form
	// Image and Index are the predicate types that each image and the index must be attested
	// with, in addition to the signature. Nil is, for an image, SPDX, CycloneDX and provenance,
	// and for an index, provenance; an empty slice requires none.
	Image, Index []string
	// Required, if not nil, replaces Forms, Image and Index: each element is required. Its
	// digests must all be in the evidence.
	Required []Required
	// Source is the repository that every provenance must name, in any of git's URL forms; any
	// if empty.
	Source string
	// Reference is the name by which the image was requested. A release must not contradict it.
	Reference Reference
	// Binary returns the SHA-256, in hex, of the service's executable in an image with this
	// descriptor, or "" if it starts none; every SBOM must name it. If nil, an SBOM must name
	// some file by its SHA-256.
	Binary func(ctx context.Context, image v1.Descriptor) (string, error)
	// Content returns an error if the configuration or a layer of an image does not have the
	// digest in its manifest. If nil, the clients that pull the image check this.
	Content func(ctx context.Context, image v1.Descriptor) error
}

// Verify checks what was read as a user would, who knows only the policy. It needs no network.
// The report has every check. The error is an [ErrRefused] if a check failed, and another error
// if nothing could be checked.
func Verify(ctx context.Context, m Evidence, p Policy) (Report, error) {
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
	v := &verification{policy: p, report: &report, flight: newFlight(), sboms: map[[sha256.Size]byte]parsed{}}
	if err := v.all(ctx, m); err != nil {
		return report, fmt.Errorf("verify %s: %w", m.Name, err)
	}
	v.unread(m)
	return report, report.Err()
}

type verification struct {
	policy Policy
	report *Report
	flight flight
	sboms  map[[sha256.Size]byte]parsed
}

// parsed is the result of parsing an SBOM.
type parsed struct {
	hashes []string
	err    error
}

// parse parses an SBOM once, even if it is stored in several forms or for several subjects.
func (v *verification) parse(predicateType string, predicate json.RawMessage) ([]string, error) {
	key := sha256.Sum256(append([]byte(predicateType+"\n"), predicate...))
	p, ok := v.sboms[key]
	if !ok {
		p.hashes, p.err = sbomHashes(predicateType, predicate)
		v.sboms[key] = p
	}
	return p.hashes, p.err
}

// subject is a manifest under verification, with its executables.
type subject struct {
	Manifest
	required []string
	// found are the findings about everything that is stored about it.
	found    []*finding
	binaries []executable
	// unread says that its layers were not read. damaged says what is wrong with them.
	unread  bool
	damaged error
}

// signed reports whether an expected signer has signed it, in any form.
func (s subject) signed() bool {
	return slices.ContainsFunc(s.found, func(f *finding) bool {
		return f.ok() &&
			f.statement.PredicateType == SignatureType
	})
}

// executable is the executable of the image for a platform; platform is the image's digest if
// the index names no platform.
type executable struct{ sha256, platform string }

func (s subject) check(name string, form Form, outcome Outcome, detail string) Check {
	c := Check{Check: name, Subject: s.Descriptor.Digest.String(), Form: form,
		Outcome: outcome, Detail: detail}
	if s.Descriptor.Platform != nil {
		c.Platform = s.Descriptor.Platform.String()
	}
	return c
}

func (v *verification) add(c ...Check) { v.report.Checks = append(v.report.Checks, c...) }

func (v *verification) all(ctx context.Context, m Evidence) error {
	root := subject{Manifest: m.Root, required: v.policy.Image}
	if !root.Descriptor.MediaType.IsIndex() {
		if root.Descriptor.MediaType != "" && !root.Descriptor.MediaType.IsImage() {
			return fmt.Errorf("%s is neither an image nor an index", root.Descriptor.MediaType)
		}
		v.find(ctx, &root)
		if err := v.look(ctx, &root, root.signed()); err != nil {
			return err
		}
		v.image(root)
		return nil
	}
	root.required = v.policy.Index
	if !v.manifest(root) {
		return nil
	}
	v.find(ctx, &root)
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
			v.add(s.check("platforms", "", Failed, "the index lists this image, but it was not found"))
			continue
		}
		s.Raw, s.Stored = m.Children[at].Raw, m.Children[at].Stored
		images = append(images, s)
	}
	var g errgroup.Group
	g.SetLimit(4)
	for i := range images {
		g.Go(func() error {
			v.find(ctx, &images[i])
			return nil
		})
	}
	_ = g.Wait() // never fails
	for i := range images {
		if err := v.look(ctx, &images[i], root.signed() && images[i].signed()); err != nil {
			return err
		}
		root.binaries = append(root.binaries, images[i].binaries...)
		root.unread = root.unread || images[i].unread
	}
	v.described(root)
	for _, s := range images {
		v.image(s)
	}
	return nil
}

func (v *verification) find(ctx context.Context, s *subject) {
	s.found = s.Stored.findingsIn(ctx, v.flight, s.Descriptor.Digest, v.policy.Trust, v.policy.Trust)
}

// look reads an image; a damaged one has no executable. An image that no expected signer has
// signed is not read, because its layers may contain anything.
func (v *verification) look(ctx context.Context, s *subject, signed bool) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if !signed || sha256Of(s.Raw) != s.Descriptor.Digest {
		s.unread = true
		return nil
	}
	if v.policy.Content != nil {
		if s.damaged = v.policy.Content(ctx, s.Descriptor); s.damaged != nil {
			return context.Cause(ctx)
		}
	}
	return v.binary(ctx, s)
}

// image checks an image that look has read.
func (v *verification) image(s subject) {
	switch {
	case !v.manifest(s):
		return
	case s.damaged != nil:
		v.add(s.check("content", "", Failed, oneLine(s.damaged)))
		return
	case v.policy.Content != nil && !s.unread:
		v.add(s.check("content", "", Passed, "configuration and layers have their digests"))
	}
	v.described(s)
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

// manifest compares a manifest with its digest and with the media type of its descriptor. It
// refuses a manifest that some clients read as an image and others as an index (OCI image-spec
// 1.1, the property mediaType).
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
		v.add(s.check("manifest", "", Failed, "it is not a manifest: "+oneLine(err)))
		return false
	}
	given := s.Descriptor.MediaType
	switch {
	case given != "" && is.MediaType != "" && is.MediaType != given:
		v.add(s.check("manifest", "", Failed, fmt.Sprintf("its descriptor says %s, but its content says %s",
			given, is.MediaType)))
	case given == "" && is.Manifests != nil:
		v.add(s.check("manifest", "", Failed, "it is an index, but its descriptor has no media type"))
	case is.Manifests != nil && is.Layers != nil, is.Manifests != nil && !given.IsIndex():
		v.add(s.check("manifest", "", Failed, "it can be read as an index and as an image"))
	default:
		v.add(s.check("manifest", "", Passed, "its content has this digest"))
		return true
	}
	return false
}

// described checks a subject's signature and attestations.
func (v *verification) described(s subject) {
	found := s.found
	if v.policy.Required != nil {
		v.each(s, found)
	} else {
		forms := v.policy.Forms
		if len(forms) == 0 {
			forms = []Form{""} // any
		}
		for _, form := range forms {
			for _, predicateType := range append([]string{SignatureType}, s.required...) {
				v.require(s, form, predicateType, found)
			}
		}
	}
	var checks []Check
	for _, f := range found {
		checks = append(checks, v.judge(s, f)...)
	}
	for _, i := range s.Stored.Ignored {
		checks = append(checks, s.check("stored", "", Ignored,
			i.Source+": "+strings.Join(strings.Fields(i.Reason), " ")))
	}
	// The order of the findings depends on digests, and so is random.
	slices.SortStableFunc(checks, inOrder)
	v.add(checks...)
	if s.Descriptor.Digest.String() == v.report.Digest {
		v.released(s, found)
	}
}

// each looks for each required statement about a subject.
func (v *verification) each(s subject, found []*finding) {
	var required []Required
	for _, r := range v.policy.Required {
		if r.Subject == s.Descriptor.Digest {
			required = append(required, r)
		}
	}
	for i, f := range satisfy(required, found) {
		r := required[i]
		if name := checkName(r.Statement.PredicateType); f != nil {
			v.add(s.check(name, r.Form, Passed, "by "+f.signer))
		} else {
			v.add(s.check(name, r.Form, Failed, absent(r.Form, r.Statement.PredicateType, found)))
		}
	}
}

// unread fails what is required about digests that are not in the evidence.
func (v *verification) unread(m Evidence) {
	var missing []v1.Hash
	for _, r := range v.policy.Required {
		has := func(of Manifest) bool { return of.Descriptor.Digest == r.Subject }
		if !has(m.Root) && !slices.ContainsFunc(m.Children, has) && !slices.Contains(missing, r.Subject) {
			missing = append(missing, r.Subject)
			v.add(Check{Check: "manifest", Subject: r.Subject.String(), Outcome: Failed,
				Detail: "it is part of the release, but it was not found"})
		}
	}
}

// require looks for one valid statement of a type.
func (v *verification) require(s subject, form Form, predicateType string, found []*finding) {
	for _, f := range found {
		if (form == "" || f.form == form) && f.ok() && f.statement.PredicateType == predicateType {
			v.add(s.check(checkName(predicateType), form, Passed, "by "+f.signer))
			return
		}
	}
	v.add(s.check(checkName(predicateType), form, Failed, absent(form, predicateType, found)))
}

// absent returns why no statement of a type counts.
func absent(form Form, predicateType string, found []*finding) string {
	var reasons []string
	for _, f := range found {
		switch {
		case form != "" && f.form != form:
		case f.damaged != nil:
			reasons = append(reasons, oneLine(f.damaged))
		case f.statement != nil && f.statement.PredicateType != predicateType:
		case f.foreign != nil && (f.statement != nil || predicateType == SignatureType):
			reasons = append(reasons, oneLine(f.foreign))
		case f.misplaced != nil:
			reasons = append(reasons, oneLine(f.misplaced))
		case f.ok():
			reasons = append(reasons, "the statement has different content")
		}
	}
	if len(reasons) > 0 {
		return "none is valid: " + joinDistinct(reasons)
	}
	detail := "there is none"
	if form != "" {
		detail += " in the form " + string(form)
	}
	return detail
}

// judge checks the content of what an expected signer has said, whether or not the policy
// requires it, because it must be true. A document that is damaged, by another signer or about
// another digest is only listed: anybody who can write to the repository can put it there, and
// it does not affect valid ones.
func (v *verification) judge(s subject, f *finding) []Check {
	switch {
	case f.damaged != nil:
		return []Check{s.check("stored", f.form, Ignored, f.name()+" is damaged: "+oneLine(f.damaged))}
	case f.foreign != nil:
		return []Check{s.check("stored", f.form, Ignored, f.name()+": "+oneLine(f.foreign))}
	case f.misplaced != nil:
		return []Check{s.check("stored", f.form, Ignored,
			fmt.Sprintf("%s belongs to something else: %s", f.name(), oneLine(f.misplaced)))}
	}
	switch f.statement.PredicateType {
	case SPDXType, CycloneDXType:
		return []Check{v.content(s, f)}
	case ProvenanceType:
		var checks []Check
		if err := v.source(f.statement.Predicate); err != nil {
			checks = append(checks, s.check("source", f.form, Failed, oneLine(err)))
		} else if v.policy.Source != "" {
			checks = append(checks, s.check("source", f.form, Passed, repository(v.policy.Source)))
		}
		if text := generatedFiles(f.statement.Predicate); text != "" {
			checks = append(checks, s.check("generated", f.form, Passed, text))
		}
		return checks
	}
	return nil
}

// inOrder compares checks of one subject: by what was checked, ignored ones last.
func inOrder(a, b Check) int {
	last := func(c Check) int {
		if c.Outcome == Ignored {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(last(a), last(b)), strings.Compare(a.Check, b.Check),
		cmp.Compare(a.Form, b.Form), strings.Compare(a.Detail, b.Detail))
}

// content checks an SBOM: an index has one for each platform, and the check says which.
func (v *verification) content(s subject, f *finding) Check {
	name := checkName(f.statement.PredicateType) + " content"
	hashes, err := v.parse(f.statement.PredicateType, f.statement.Predicate)
	switch {
	case err != nil:
		return s.check(name, f.form, Failed, oneLine(err))
	case v.policy.Binary == nil:
		return s.check(name, f.form, Passed, fmt.Sprintf("readable, with the sha256 of %d files",
			len(hashes)))
	case s.unread:
		return s.check(name, f.form, Failed, "the image was not read, because it has no valid signature")
	case len(s.binaries) == 0:
		return s.check(name, f.form, Failed, "the image has no executable to look for in it")
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
		return s.check(name, f.form, Failed, "it does not contain the image's executable, "+
			strings.Join(wanted, " or "))
	case !s.Descriptor.MediaType.IsIndex():
		return s.check(name, f.form, Passed, "contains the image's executable")
	}
	c := s.check(name, f.form, Passed, "contains the executable of "+strings.Join(platforms, " and "))
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

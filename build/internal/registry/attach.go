package registry

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"
)

// Artifact is a manifest that describes another one.
type Artifact struct {
	Image v1.Image
	// Tag is the name of an artifact that is found by name, such as
	// sha256-<hex>.sig. Without one, Image must have a subject, and is found as a
	// referrer of it (OCI image-spec 1.1, "subject").
	Tag string
	// Replaces is what Tag pointed to when Image was made from it; zero for nothing.
	// If it has moved since, Attach fails rather than lose what somebody else added.
	Replaces v1.Hash
}

// artifactTag keeps Attach from moving anything that a user deploys by.
var artifactTag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^sha256-[0-9a-f]{64}\.[a-z0-9]+$`) })

// attached is an Artifact taken apart.
type attached struct {
	Artifact
	manifest
	blobs   map[v1.Hash]v1.Layer
	subject *v1.Descriptor
	entry   v1.Descriptor // in the list of referrers
}

// Attach writes the artifacts: their blobs and manifests by digest, then the lists of
// referrers where the registry keeps none itself, then the artifacts' tags. It reads
// the lists back. What exists is not written again.
func (r *Repository) Attach(ctx context.Context, artifacts []Artifact) error {
	r.attaching.Lock()
	defer r.attaching.Unlock()
	all := make([]attached, len(artifacts))
	for i, artifact := range artifacts {
		var err error
		if all[i], err = take(artifact); err != nil {
			return r.explain(ctx, "attach to", "", err)
		}
	}
	for range 2 { // what was taken and is not there is uploaded once more
		if err := r.uploadBlobs(ctx, all); err != nil {
			return err
		}
	}
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for _, a := range all {
		group.Go(func() error {
			return r.explain(ctx, "attach to", a.digest.String(), r.write(uploading, a))
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	entries := map[v1.Hash][]v1.Descriptor{}
	var subjects []v1.Hash
	for _, a := range all {
		if a.subject == nil {
			continue
		}
		if _, seen := entries[a.subject.Digest]; !seen {
			subjects = append(subjects, a.subject.Digest)
		}
		entries[a.subject.Digest] = append(entries[a.subject.Digest], a.entry)
	}
	for _, subject := range subjects {
		if err := r.list(ctx, subject, entries[subject]); err != nil {
			return r.explain(ctx, "attach to", subject.String(), err)
		}
	}
	for _, a := range all {
		if a.Tag == "" {
			continue
		}
		if err := r.point(ctx, a); err != nil {
			return r.explain(ctx, "attach to", a.Tag, err)
		}
	}
	return nil
}

// uploadBlobs uploads the blobs of the artifacts, before any manifest. A blob that several
// artifacts have, such as an empty configuration, is uploaded once: distribution's registry
// truncates the link to a blob when it is uploaded again, and refuses a manifest that names
// it at that moment.
func (r *Repository) uploadBlobs(ctx context.Context, all []attached) error {
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	seen := map[v1.Hash]bool{}
	for _, a := range all {
		blobs := map[v1.Hash]v1.Layer{}
		for digest, blob := range a.blobs {
			if !seen[digest] {
				seen[digest], blobs[digest] = true, blob
			}
		}
		group.Go(func() error {
			return r.explain(ctx, "attach to", a.digest.String(), r.uploadAll(uploading, blobs))
		})
	}
	return group.Wait()
}

func take(artifact Artifact) (attached, error) {
	a := attached{Artifact: artifact}
	parsed, err := artifact.Image.Manifest()
	if err != nil {
		return a, err
	}
	if a.raw, err = artifact.Image.RawManifest(); err != nil {
		return a, err
	}
	if a.mediaType, err = artifact.Image.MediaType(); err != nil {
		return a, err
	}
	if a.digest, err = artifact.Image.Digest(); err != nil {
		return a, err
	}
	a.subject = parsed.Subject
	switch {
	case a.Tag != "" && !artifactTag().MatchString(a.Tag):
		return a, problemf("%q is no tag for an artifact, such as sha256-<hex>.sig", a.Tag)
	case a.Tag == "" && a.subject == nil:
		return a, problemf("%s has neither a subject nor a tag, and could not be found", a.digest)
	}
	a.blobs = map[v1.Hash]v1.Layer{}
	if err := collectImage(artifact.Image, a.blobs); err != nil {
		return a, err
	}
	a.entry = v1.Descriptor{MediaType: a.mediaType, Digest: a.digest, Size: int64(len(a.raw)),
		ArtifactType: parsed.ArtifactType, Annotations: parsed.Annotations}
	if a.entry.ArtifactType == "" {
		a.entry.ArtifactType = string(parsed.Config.MediaType)
	}
	return a, nil
}

// write writes the manifest by digest, and looks that it is there: a manifest is never
// listed before all of what it names is in place. One that was taken and is not there is
// written once more.
func (r *Repository) write(ctx context.Context, a attached) error {
	pause := r.options.Backoff
	if there, err := r.hasManifest(ctx, a.digest, a.raw); there || err != nil {
		return err
	}
	for attempt := range 3 {
		if attempt > 0 {
			if there, err := r.has(ctx, r.name, "manifests", a.digest); there || err != nil {
				return err
			}
			if err := sleep(ctx, pause.Step()); err != nil {
				return err
			}
		}
		if err := r.putWith(ctx, a.manifest, a.blobs); err != nil {
			return refusedForm(a, err)
		}
	}
	there, err := r.has(ctx, r.name, "manifests", a.digest)
	if err == nil && !there {
		err = errLost
	}
	return err
}

// refusedForm names the setting that helps where a registry refuses what a signature is
// written as.
func refusedForm(a attached, err error) error {
	refused := new(transport.Error)
	if lacksNamed(err) || !errors.As(err, &refused) || !slices.Contains([]int{http.StatusBadRequest, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusNotAcceptable, http.StatusNotImplemented}, refused.StatusCode) {
		return err
	}
	hint := `the registry takes no manifests with artifactType, subject or the type of their configuration; set Config.Release.Forms to ["tag"]`
	if a.Tag != "" {
		hint = `the registry does not take cosign's manifests; set Config.Release.Forms to ["bundle"]`
	}
	return &hinted{refused, hint}
}

// point points the artifact's tag at it.
func (r *Repository) point(ctx context.Context, a attached) error {
	is := v1.Hash{}
	there, err := r.get(ctx, a.Tag)
	if err != nil {
		return err
	}
	if there != nil {
		is = there.digest
	}
	switch is {
	case a.digest:
		return nil
	case a.Replaces:
		_, err := r.move(ctx, a.Tag, &a.manifest)
		return err
	}
	return problemf("somebody else has changed it meanwhile; run it again, and it adds to what is there")
}

// list sees to it that the subject's referrers have the entries. A registry with the
// referrers API does so itself, perhaps a little later.
func (r *Repository) list(ctx context.Context, subject v1.Hash, entries []v1.Descriptor) error {
	pause := r.options.Backoff
	for attempt := 0; ; attempt++ {
		listed, support, err := r.native(ctx, subject, maxListed)
		if err != nil {
			return err
		}
		var old *manifest
		if support != ReferrersNative {
			if old, listed, err = r.fallback(ctx, subject, maxListed); err != nil {
				return err
			}
		}
		if containsAll(listed, entries) {
			return nil
		}
		if attempt == 5 {
			return problemf("the list of referrers does not keep what is written; another process may be writing it: run it again")
		}
		if support == ReferrersNative || attempt > 0 {
			if err := sleep(ctx, pause.Step()); err != nil {
				return err
			}
		}
		if support != ReferrersNative {
			if err := r.putList(ctx, subject, old, entries); err != nil {
				return err
			}
		}
	}
}

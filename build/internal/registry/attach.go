package registry

import (
	"context"
	"errors"
	"net/http"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// Artifact is a manifest that describes another one.
type Artifact struct {
	Image v1.Image
	// Tag is the tag of an artifact that is found by name, such as sha256-<hex>.sig. Without a
	// tag, Image must have a subject, and is found as a referrer of it (OCI image-spec 1.1,
	// "subject").
	Tag string
	// Replaces is the digest that Tag pointed to when Image was made from it; zero for nothing. If the tag
	// has moved since, Attach fails, so that additions by others are not lost.
	Replaces v1.Hash
}

// attached is an Artifact with its parsed parts.
type attached struct {
	Artifact
	distribution.Manifest
	blobs   map[v1.Hash]v1.Layer
	subject *v1.Descriptor
	entry   v1.Descriptor // in the list of referrers
}

// Attach writes the artifacts: their blobs and manifests by digest, then the lists of referrers
// if the registry keeps none, then the artifacts' tags. It reads the lists back. It does not
// write again what exists.
func (r *Repository) Attach(ctx context.Context, artifacts []Artifact) error {
	r.attaching.Lock()
	defer r.attaching.Unlock()
	all := make([]attached, len(artifacts))
	for i, artifact := range artifacts {
		var err error
		if all[i], err = take(artifact); err != nil {
			return r.client.Explain(ctx, "attach to", "", err)
		}
	}
	for range 2 { // upload once more what was accepted and is not there
		if err := uploadBlobs(ctx, r.client, all); err != nil {
			return err
		}
	}
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(distribution.Jobs)
	for _, a := range all {
		group.Go(func() error {
			return r.client.Explain(ctx, "attach to", a.Digest.String(), write(uploading, r.client, a))
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
		if err := r.referrers.add(ctx, subject, entries[subject]); err != nil {
			return r.client.Explain(ctx, "attach to", subject.String(), err)
		}
	}
	for _, a := range all {
		if a.Tag == "" {
			continue
		}
		if err := point(ctx, r.client, a); err != nil {
			return r.client.Explain(ctx, "attach to", a.Tag, err)
		}
	}
	return nil
}

// uploadBlobs uploads the blobs of the artifacts before any manifest. It uploads a blob that
// several artifacts share, such as an empty configuration, only once: when a blob is uploaded
// again, distribution's registry truncates its link, and at that moment refuses a manifest that
// names it.
func uploadBlobs(ctx context.Context, c *distribution.Client, all []attached) error {
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(distribution.Jobs)
	seen := map[v1.Hash]bool{}
	for _, a := range all {
		blobs := map[v1.Hash]v1.Layer{}
		for digest, blob := range a.blobs {
			if !seen[digest] {
				seen[digest], blobs[digest] = true, blob
			}
		}
		group.Go(func() error {
			return c.Explain(ctx, "attach to", a.Digest.String(), uploadAll(uploading, c, blobs))
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
	if a.Raw, err = artifact.Image.RawManifest(); err != nil {
		return a, err
	}
	if a.MediaType, err = artifact.Image.MediaType(); err != nil {
		return a, err
	}
	if a.Digest, err = artifact.Image.Digest(); err != nil {
		return a, err
	}
	a.subject = parsed.Subject
	switch {
	case a.Tag != "" && !distribution.IsArtifactTag(a.Tag):
		return a, distribution.Problemf("%q is not a tag for an artifact, such as sha256-<hex>.sig", a.Tag)
	case a.Tag == "" && a.subject == nil:
		return a, distribution.Problemf("%s has neither a subject nor a tag, and could not be found",
			a.Digest)
	}
	a.blobs = map[v1.Hash]v1.Layer{}
	if err := collectImage(artifact.Image, a.blobs); err != nil {
		return a, err
	}
	a.entry = v1.Descriptor{MediaType: a.MediaType, Digest: a.Digest, Size: int64(len(a.Raw)),
		ArtifactType: parsed.ArtifactType, Annotations: parsed.Annotations}
	if a.entry.ArtifactType == "" {
		a.entry.ArtifactType = string(parsed.Config.MediaType)
	}
	return a, nil
}

// write writes the manifest by digest, and checks that it is there, because a manifest must not
// be listed before everything in it is in place. If it was accepted and is not there, it is
// written once more.
func write(ctx context.Context, c *distribution.Client, a attached) error {
	pause := c.Options.Backoff
	if there, err := c.HasManifest(ctx, a.Digest, a.Raw); there || err != nil {
		return err
	}
	for attempt := range 3 {
		if attempt > 0 {
			if there, err := c.Has(ctx, c.Name, "manifests", a.Digest); there || err != nil {
				return err
			}
			if err := distribution.Sleep(ctx, pause.Step()); err != nil {
				return err
			}
		}
		if err := putWith(ctx, c, a.Manifest, a.blobs); err != nil {
			return refusedForm(a, err)
		}
	}
	there, err := c.Has(ctx, c.Name, "manifests", a.Digest)
	if err == nil && !there {
		err = distribution.ErrLost
	}
	return err
}

// refusedForm names the setting that helps if a registry refuses the form of a signature.
func refusedForm(a attached, err error) error {
	refused := new(transport.Error)
	if distribution.LacksNamed(err) || !errors.As(err, &refused) ||
		!slices.Contains([]int{http.StatusBadRequest, http.StatusUnsupportedMediaType,
			http.StatusUnprocessableEntity, http.StatusNotAcceptable, http.StatusNotImplemented},
			refused.StatusCode) {
		return err
	}
	hint := `the registry accepts no manifests with artifactType, subject or the type of their ` +
		`configuration; set Config.Release.Forms to ["tag"]`
	if a.Tag != "" {
		hint = `the registry does not accept cosign's manifests; set Config.Release.Forms to ["bundle"]`
	}
	return &distribution.Hinted{Err: refused, Hint: hint}
}

// point sets the artifact's tag.
func point(ctx context.Context, c *distribution.Client, a attached) error {
	is := v1.Hash{}
	there, err := c.Get(ctx, a.Tag)
	if err != nil {
		return err
	}
	if there != nil {
		is = there.Digest
	}
	switch is {
	case a.Digest:
		return nil
	case a.Replaces:
		_, err := move(ctx, c, a.Tag, &a.Manifest)
		return err
	}
	return distribution.Problemf("somebody else changed it at the same time; run it again to add to it")
}

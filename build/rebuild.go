package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/reproduce"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// RebuildOptions say what Rebuild trusts, and what else it does.
type RebuildOptions struct {
	// VerifyOptions say whose provenance is accepted.
	VerifyOptions
	// Mirror is a repository or folder to fetch the source from, instead of the one in the
	// provenance. The commit is the same.
	Mirror string
	// AllowLinkerFlags are additional linker flags that the plan may have, such as
	// "-H=windowsgui"; a flag without "=" allows every value. Flags that change only the binary
	// are always allowed.
	AllowLinkerFlags []string
	// RequireSandbox fails if a mechanism of the sandbox does not work on this machine.
	RequireSandbox bool
	// AllowSubmodules also fetches submodules from hosts other than the source's.
	AllowSubmodules bool
	// Before runs Config.Before in the clone, in the sandbox, if the provenance names the same
	// programs.
	Before bool
	// Attest signs the outcome with the key or identity of Config.Release, which is that of the
	// rebuilder, and attaches it to the image.
	Attest bool
}

// Rebuild needs only an image. It verifies the image's provenance, fetches the source and the
// toolchain that the provenance names, builds again in a clean room (see Reproduce), and
// compares. ref is a tag or digest in a registry, or an OCI layout.
func Rebuild(ctx context.Context, o Options, ref string, want RebuildOptions, self []string) (*Reproduction, error) {
	began := time.Now()
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	var signer signing.Signer
	if want.Attest {
		if _, ok := store.LayoutOf(s, ref); ok {
			return nil, fmt.Errorf("reproduce %s: an attestation is attached to an image in a registry, and this is a layout; leave out -attest", ref)
		}
		// Without a key and an identity, fail before the build.
		if signer, err = signing.OpenSigner(ctx, s); err != nil {
			return nil, err
		}
	}
	// The image keeps using this context, because attestOutcome adds an attestation to its
	// existing ones.
	reading, read, done := store.Reading(ctx, "reproduce "+ref, o.VerifyWithin)
	defer done()
	image, err := findReleased(reading, s, ref, want.VerifyOptions)
	if err != nil {
		return nil, cmp.Or(context.Cause(reading), err)
	}
	read()
	defer image.Close()
	c, err := rebuild(ctx, s, o, image, want, self)
	if c == nil {
		return nil, fmt.Errorf("reproduce %s: %w", ref, err)
	}
	if want.Attest && (err == nil || errors.Is(err, ErrDiffers)) {
		made, attestErr := attestOutcome(ctx, s, signer, image, c.Comparison)
		c.Attested = made
		err = errors.Join(err, attestErr)
	}
	c.Elapsed = time.Since(began)
	return c, err
}

// releasedImage is an image with verified provenance.
type releasedImage struct {
	*reproduce.Image
	provenance *reproduce.Provenance
	trust      attest.Trust
}

// findReleased reads an image's manifests and its provenance, which must be signed as expected.
func findReleased(ctx context.Context, s *session.Session, ref string, want VerifyOptions) (out releasedImage, err error) {
	err = s.Stage("verify the provenance", func() (string, error) {
		if out.trust, err = expected(s, want); err != nil {
			return "", err
		}
		if out.Image, err = reproduce.FindImage(ctx, s, ref); err != nil {
			return "", err
		}
		if out.provenance, err = verifiedProvenance(ctx, out.Image, out.trust, want.Source); err != nil {
			out.Close()
			return "", err
		}
		return "by " + out.provenance.Signer, nil
	})
	return out, err
}

// verifiedProvenance returns the provenance of an image after it has verified that the image,
// with its signatures, is as the signer released it.
func verifiedProvenance(ctx context.Context, image *reproduce.Image, trust attest.Trust, source string) (*reproduce.Provenance, error) {
	all, err := image.Provenances(ctx, trust)
	if err != nil {
		return nil, err
	}
	report, err := attest.Verify(ctx, image.Evidence, attest.Policy{
		Trust: trust, Source: source, Reference: image.Named, Image: []string{attest.ProvenanceType}, Index: []string{attest.ProvenanceType},
	})
	if err != nil {
		return nil, report.Refusal(err)
	}
	p, err := reproduce.ReadProvenance(all)
	if err != nil {
		return nil, fmt.Errorf("reproduce %s: %w", image.Ref, err)
	}
	return p, nil
}

// rebuild builds an image again in a clean room, and compares.
func rebuild(ctx context.Context, s *session.Session, o Options, image releasedImage, want RebuildOptions, self []string) (c *Reproduction, err error) {
	source, notes, err := image.provenance.Source(s, reproduce.Terms{
		Mirror: want.Mirror, AllowLinkerFlags: want.AllowLinkerFlags, AnySubmodules: want.AllowSubmodules, Before: want.Before,
	})
	if err != nil {
		return nil, err
	}
	room, err := reproduce.Open(source, o.cleanRoom)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, room.Close()) }()
	if err := room.Clone(ctx, s); err != nil {
		return nil, err
	}
	g, err := room.FetchPlanned(ctx, s, pipeline.FetchBases)
	if err != nil {
		return nil, err
	}
	held, err := room.Probe(ctx, s, g, self, want.RequireSandbox)
	if err != nil {
		return nil, err
	}
	built, err := room.Build(ctx, s, g, self, held.Held)
	if err != nil {
		return nil, err
	}
	var uncompared []string
	c, err = compared(ctx, s, room, built, func(ctx context.Context) (first compare.Build, err error) {
		first, uncompared, err = image.Published(ctx, image.trust, image.provenance, source.Plan)
		return first, err
	})
	if c == nil {
		return nil, err
	}
	c.Sandbox, c.Provenance = sandboxed(held), image.provenance.Signer
	c.Notes = slices.Concat(c.Notes, otherKit(source.Plan.Kit), image.provenance.Notes, notes, uncompared, held.Notes)
	return c, err
}

// otherKit returns a note if another version of thimble made the image.
func otherKit(kit plan.Kit) []string {
	here := session.Kit()
	if kit == here {
		return nil
	}
	return []string{fmt.Sprintf("the image was made by thimble %s, and this is %s: go get %s@%s in magefiles brings the same",
		kit.Version, here.Version, kit.Path, kit.Version)}
}

// sandboxed returns a sandbox in the form of the report.
func sandboxed(s reproduce.Sandbox) *Sandbox {
	shown := &Sandbox{Held: []string{}}
	for _, m := range s.Held {
		shown.Held = append(shown.Held, string(m))
	}
	for _, refused := range s.Refused {
		shown.Refused = append(shown.Refused, refused.String())
	}
	return shown
}

// attestOutcome signs the outcome for the image and for each platform's image, and attaches it.
// It skips attestations that already exist.
func attestOutcome(ctx context.Context, s *session.Session, signer signing.Signer, image releasedImage, c *Comparison) (made int, err error) {
	err = s.Stage("attest", func() (string, error) {
		subjects, err := image.Summaries(s, image.provenance, c)
		if err != nil {
			return "", err
		}
		signed, err := attest.Sign(ctx, signer.Signer, subjects, signer.Options(image.provenance.Plan.Created()))
		if err != nil {
			return "", err
		}
		list, n, err := store.Artifacts(subjects, signed)
		if err != nil {
			return "", err
		}
		if len(list) == 0 {
			return "up to date", nil
		}
		repo, err := store.OpenRepository(ctx, s, image.Evidence.Name, nil, false)
		if err != nil {
			return "", err
		}
		defer repo.Close()
		if err := repo.Attach(ctx, list); err != nil {
			return "", err
		}
		made = n
		return progress.Count(n, "attestation"), nil
	})
	return made, err
}

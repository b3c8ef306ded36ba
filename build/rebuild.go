package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/reproduce"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/report"
)

// RebuildOptions are the options of Rebuild: whose provenance it accepts, and what else it does.
type RebuildOptions struct {
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
// compares. ref is a tag or digest in a registry, or the folder of an OCI layout. self is that of
// Reproduce, and the reproduction is also returned with ErrDiffers. If the provenance is not by the
// expected signer, nothing is fetched and there is only an error.
func Rebuild(ctx context.Context, o RebuildOptions, ref string, self []string) (*report.Reproduction, error) {
	began := time.Now()
	s, err := o.signingSession(ctx)
	if err != nil {
		return nil, err
	}
	var signer signing.Signer
	if o.Attest {
		if _, ok := store.LayoutOf(s, ref); ok {
			return nil, fmt.Errorf("reproduce %s: an attestation is attached only to an image "+
				"in a registry, but this is a layout; omit -attest", ref)
		}
		// Without a key and an identity, fail before the build.
		if signer, err = signing.OpenSigner(ctx, s); err != nil {
			return nil, err
		}
	}
	// Attest uses this context too, to read the attestations that exist.
	reading, read, done := store.Reading(ctx, "reproduce "+ref, o.VerifyWithin)
	defer done()
	image, err := reproduce.FindReleased(reading, s, ref, o.expectation(), o.Source)
	if err != nil {
		return nil, cmp.Or(context.Cause(reading), err)
	}
	read()
	defer image.Close()
	c, err := rebuild(ctx, s, o, image, self)
	if c == nil {
		return nil, fmt.Errorf("reproduce %s: %w", ref, err)
	}
	if o.Attest && (err == nil || errors.Is(err, ErrDiffers)) {
		made, attestErr := image.Attest(ctx, s, signer, c.Comparison)
		c.Attested = made
		err = errors.Join(err, attestErr)
	}
	c.Elapsed = time.Since(began)
	return c, err
}

// rebuild builds an image again in a clean room, and compares.
func rebuild(ctx context.Context, s *session.Session, o RebuildOptions, image reproduce.Released,
	self []string) (c *report.Reproduction, err error) {
	source, notes, err := image.Provenance.Source(s, reproduce.Terms{
		Mirror: o.Mirror, AllowLinkerFlags: o.AllowLinkerFlags, AnySubmodules: o.AllowSubmodules,
		Before: o.Before,
	})
	if err != nil {
		return nil, err
	}
	room, err := reproduce.Open(ctx, s, source, o.cleanRoom)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, room.Close()) }()
	g, err := room.FetchPlanned(ctx, s, pipeline.FetchBases)
	if err != nil {
		return nil, err
	}
	held, err := room.Probe(ctx, s, g, self, o.RequireSandbox)
	if err != nil {
		return nil, err
	}
	built, err := room.Build(ctx, s, g, self, held.Held)
	if err != nil {
		return nil, err
	}
	var uncompared []string
	c, err = room.Compare(ctx, s, built, func(ctx context.Context) (first compare.Build, err error) {
		first, uncompared, err = image.Published(ctx, image.Trust, image.Provenance, source.Plan)
		return first, err
	})
	if c == nil {
		return nil, err
	}
	c.Sandbox, c.Provenance = held.Report(), image.Provenance.Signer
	c.Notes = slices.Concat(c.Notes, image.Provenance.Notes, notes, uncompared, held.Notes)
	return c, err
}

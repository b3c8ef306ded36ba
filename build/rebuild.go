package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/plan"
)

// RebuildOptions say what Rebuild trusts, and what it does besides.
type RebuildOptions struct {
	// Expected is whose provenance counts.
	Expected
	// Mirror is a repository, or a folder, to fetch the source from instead of the one
	// that the provenance names. The commit is the same.
	Mirror string
	// Attest signs the outcome with Config.Release's key or identity, the rebuilder's
	// own, and attaches it to the image.
	Attest bool
}

// Rebuild starts from nothing but an image: it verifies its provenance, fetches the
// source and the toolchain that this names, builds the same again in a clean room (see
// Reproduce), and compares. ref is a tag or digest in a registry, or an OCI layout.
func Rebuild(ctx context.Context, o Options, ref string, want RebuildOptions, again []string) (*Reproduction, error) {
	began := time.Now()
	s, err := settle(o)
	if err != nil {
		return nil, err
	}
	r := &rebuild{run: &run{settled: s, began: began}, ref: ref}
	defer func() {
		if r.repo != nil {
			r.repo.Close()
		}
	}()
	if want.Attest {
		if _, ok := s.layoutOf(ref); ok {
			return nil, fmt.Errorf("reproduce %s: an attestation is attached to an image in a registry, and this is a layout; leave out -attest", ref)
		}
		if err := r.openAttester(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.stage("verify the provenance", func() (string, error) { return r.read(ctx, want.Expected) }); err != nil {
		return nil, err
	}
	clean, err := r.room(want.Mirror)
	if err != nil {
		return nil, fmt.Errorf("reproduce %s: %w", ref, err)
	}
	c, err := clean.reproduce(ctx, again, r.published)
	if c == nil {
		return nil, fmt.Errorf("reproduce %s: %w", ref, err)
	}
	c.Provenance = r.signer
	if kit := r.found.Plan.Kit; kit != r.kit() {
		c.Notes = append(c.Notes, fmt.Sprintf("the image was made by thimble %s, and this is %s: go get %s@%s in magefiles brings the same",
			kit.Version, r.kit().Version, kit.Path, kit.Version))
	}
	c.Notes = append(c.Notes, r.notes...)
	if want.Attest && (err == nil || errors.Is(err, ErrDiffers)) {
		made, attestErr := r.attest(ctx, c.Comparison)
		c.Attested = made
		err = errors.Join(err, attestErr)
	}
	c.Elapsed = time.Since(began)
	return c, err
}

// rebuild is an image that is built again.
type rebuild struct {
	*run
	ref      string
	repo     *registry.Repository // nil for a layout
	layout   string
	material attest.Material
	trust    attest.Trust
	found    *describe.Read
	signer   string
	// inputs are the digests of the provenance's attestations.
	inputs []v1.Hash
	notes  []string
	// attester signs the outcome.
	attester *release
}

func (r *rebuild) kit() plan.Kit { return kit() }

// read reads the image's manifests and its provenance, which must be of whom we expect.
func (r *rebuild) read(ctx context.Context, want Expected) (string, error) {
	var err error
	if r.trust, err = r.expected(want); err != nil {
		return "", err
	}
	if dir, ok := r.layoutOf(r.ref); ok {
		r.layout = dir
		r.material, err = materialInLayout(dir)
	} else {
		var digest v1.Hash
		if r.repo, digest, err = r.find(ctx, r.ref, true); err != nil {
			return "", err
		}
		r.material, err = materialIn(ctx, r.repo, r.repo.Name().Name(), digest, nil)
	}
	if err != nil {
		return "", err
	}
	root := r.material.Root
	all, reasons, err := root.Stored.Attested(ctx, root.Descriptor.Digest, r.trust, attest.ProvenanceType)
	if err != nil {
		return "", fmt.Errorf("reproduce %s: %w", r.ref, err)
	}
	switch {
	case len(all) == 0 && len(reasons) == 0:
		return "", fmt.Errorf("reproduce %s: it has no provenance, so that nobody can tell what it was built from; \"mage release\" attaches it to an image, and to the layout in dist", r.ref)
	case len(all) == 0:
		slices.Sort(reasons)
		return "", fmt.Errorf("reproduce %s: its provenance is not signed by whom you expect: %s; name the signer's key with -key, or -identity, -issuer and -trustedRoot",
			r.ref, strings.Join(slices.Compact(reasons), "; "))
	}
	// The image must be what its signer released: signatures and all.
	policy := attest.Policy{Trust: r.trust, Source: want.Source, Image: []string{attest.ProvenanceType}, Index: []string{attest.ProvenanceType}}
	report, err := attest.Verify(ctx, r.material, policy)
	if err != nil {
		return "", refusal(report, err)
	}
	for _, a := range all {
		found, err := describe.ReadProvenance(a.Predicate)
		if errors.Is(err, describe.ErrBuildType) {
			return "", fmt.Errorf("reproduce %s: %w; build it again with the tool that made it", r.ref, err)
		}
		if err != nil {
			return "", fmt.Errorf("reproduce %s: %w", r.ref, err)
		}
		if r.found == nil {
			r.found, r.signer = found, a.Signer
		} else if same, err := samePlan(r.found, found); err != nil {
			return "", fmt.Errorf("reproduce %s: %w", r.ref, err)
		} else if !same {
			r.notes = append(r.notes, "the image has provenance of several builds; the first was taken")
			continue
		}
		if !slices.Contains(r.inputs, a.Digest) {
			r.inputs = append(r.inputs, a.Digest)
		}
	}
	return "by " + r.signer, nil
}

func samePlan(a, b *describe.Read) (bool, error) {
	x, err := json.Marshal(a.Plan)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b.Plan)
	return string(x) == string(y), err
}

// room is a clean room for what the provenance tells.
func (r *rebuild) room(mirror string) (*room, error) {
	p := *r.found.Plan
	if err := r.checkSource(&p, mirror); err != nil {
		return nil, err
	}
	if err := errors.Join(checkToolchain(&p), checkLinker(&p)); err != nil {
		return nil, err
	}
	// An image stands for itself; what pins the bases stands for all of a plan's images.
	if p.Lock == nil {
		p.Images = slices.DeleteFunc(slices.Clone(p.Images), func(i plan.Image) bool { return i.Name != r.found.Image })
	}
	p.Platforms = nil
	for _, name := range r.found.Platforms {
		platform, err := plan.ParsePlatform(name)
		if err != nil {
			return nil, err
		}
		p.Platforms = append(p.Platforms, platform)
	}
	if order := r.found.Plan.Platforms; len(order) == len(p.Platforms) {
		p.Platforms = order // which the index has
	}
	cfg := p.Config()
	cfg.Version = r.found.Version
	cfg.Before, cfg.CC = r.Config.Before, r.Config.CC
	cfg.Dist = r.Config.Dist
	cfg.Debian.Mirror = r.Config.Debian.Mirror // where from is the rebuilder's to say
	var programs []string
	for _, command := range cfg.Before {
		if len(command) > 0 {
			programs = append(programs, path.Base(filepath.ToSlash(command[0])))
		}
	}
	if !slices.Equal(programs, r.found.Before) {
		cfg.Before = nil
		if len(r.found.Before) > 0 {
			r.notes = append(r.notes, fmt.Sprintf("before the build, %s ran, with arguments that provenance does not tell; they are in the source's magefile: put them into Config.Before",
				strings.Join(r.found.Before, ", ")))
		}
	}
	if p.Dirty {
		r.notes = append(r.notes, fmt.Sprintf("the image was built from a tree that no commit has: %s differs", p.DirtyFile))
	}
	clean := &room{
		run: r.run, job: cfg, commit: r.found.Commit, from: r.found.Repository, shallow: p.Shallow, workdir: p.Workdir, compact: true,
		settings: p.Settings, elsewhere: "name another copy of the source with -mirror",
	}
	if mirror != "" {
		if clean.from, clean.origin = mirror, r.found.Repository; !strings.Contains(mirror, "://") && !strings.Contains(mirror, "@") {
			clean.from = r.abs(mirror)
		}
	}
	for _, platform := range p.Platforms {
		clean.platforms = append(clean.platforms, platform.String())
	}
	r.found.Plan = &p
	return clean, nil
}

// checkSource says whether the source can be fetched at all.
func (r *rebuild) checkSource(p *plan.Plan, mirror string) error {
	from := r.found.Repository
	switch {
	case r.found.Commit == "":
		return errors.New("its provenance names no commit: it was built without git, and cannot be built again")
	case mirror == "" && from == "":
		return fmt.Errorf("its provenance names commit %s and no repository; name one that has it with -mirror", r.found.Commit)
	case mirror == "" && !fetchable(from):
		return fmt.Errorf("its provenance names the source %q, which is no URL that git is given on somebody's word; name a copy with -mirror", from)
	}
	for _, rel := range []string{p.Workdir, p.Module.Dir} {
		if rel != "" && !filepath.IsLocal(filepath.FromSlash(rel)) {
			return fmt.Errorf("its provenance names the folder %q, which is not below the repository's root", rel)
		}
	}
	return nil
}

// checkToolchain refuses a toolchain that nobody can fetch.
func checkToolchain(p *plan.Plan) error {
	if !version.IsValid(p.Toolchain.Version) {
		return fmt.Errorf("it was built with the toolchain %q, which was never released, so that it cannot be had", p.Toolchain.Version)
	}
	return nil
}

// runsPrograms are linker flags that start a program, or write a file, on the machine
// that links.
var runsPrograms = []string{"extld", "extldflags", "extar", "linkmode", "tmpdir", "o", "cpuprofile", "memprofile", "memprofilerate", "blockprofile", "mutexprofile", "capturehostobjs", "benchmark", "benchmarkprofile", "outbuf"}

func checkLinker(p *plan.Plan) error {
	for _, flag := range p.Build.LDFlags {
		name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		if strings.HasPrefix(flag, "-") && slices.Contains(runsPrograms, name) {
			return fmt.Errorf("its provenance has the linker flag %s, which would start a program or write a file here", flag)
		}
	}
	return nil
}

// published is the image as it was found, for the comparison.
func (r *rebuild) published(ctx context.Context) (compare.Build, error) {
	p := r.found.Plan
	b := compare.Build{Name: r.ref}
	var err error
	if b.Plan, err = json.Marshal(p); err != nil {
		return b, err
	}
	x := compare.Image{Name: r.found.Image}
	children := []attest.Manifest{r.material.Root}
	if r.material.Root.Descriptor.MediaType.IsIndex() {
		x.Digest, x.Index, children = r.material.Root.Descriptor.Digest.String(), r.material.Root.Raw, r.material.Children
	}
	for i, child := range children {
		platform := r.found.Platforms[0]
		if d := child.Descriptor; x.Index != nil {
			if d.Platform == nil {
				r.notes = append(r.notes, fmt.Sprintf("%s of the index has no platform, and was not compared", d.Digest))
				continue
			}
			// As an image has it: os/arch/variant, without the version of an OS.
			parsed, err := plan.ParsePlatform(strings.Trim(path.Join(d.Platform.OS, d.Platform.Architecture, d.Platform.Variant), "/"))
			if err != nil {
				return b, fmt.Errorf("read %s: %w", r.ref, err)
			}
			platform = parsed.String()
		}
		y := compare.Platform{Platform: platform, Digest: child.Descriptor.Digest.String(), Documents: map[string][]byte{}}
		if y.Image, err = r.image(ctx, child.Descriptor.Digest); err != nil {
			return b, fmt.Errorf("read %s: %w", r.ref, registry.Plain(err))
		}
		for kind, predicateType := range map[string]string{"spdx": attest.SPDXType, "cyclonedx": attest.CycloneDXType} {
			documents, _, err := children[i].Stored.Attested(ctx, child.Descriptor.Digest, r.trust, predicateType)
			if err != nil {
				return b, err
			}
			if len(documents) == 0 {
				continue
			}
			if y.Documents[kind], err = compact(documents[0].Predicate); err != nil {
				return b, err
			}
		}
		x.Platforms = append(x.Platforms, y)
	}
	b.Images = []compare.Image{x}
	return b, nil
}

// image opens an image where the reference is.
func (r *rebuild) image(ctx context.Context, digest v1.Hash) (v1.Image, error) {
	if r.layout == "" {
		return remote.Image(r.repo.Name().Digest(digest.String()), r.repo.RemoteOptions(ctx)...)
	}
	top, err := layout.ImageIndexFromPath(r.layout)
	if err == nil && digest != r.material.Root.Descriptor.Digest {
		top, err = top.ImageIndex(r.material.Root.Descriptor.Digest)
	}
	if err != nil {
		return nil, err
	}
	return top.Image(digest)
}

// fetchable says whether a repository's URL is one that git may be given on the word of
// a provenance: git can be made to start programs by others.
func fetchable(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && slices.Contains([]string{"https", "http", "ssh"}, u.Scheme)
}

package build

import (
	"bytes"
	"context"
	"crypto/sha1" // SPDX 2.3 clause 8.4 requires it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// described is the part of a unit that the description fills in.
type described struct {
	modules  []golist.Module // linked modules, including the main module
	licenses map[string]license.Result
	texts    []byte

	built           v1.Image
	digest          string
	imageSize       int64
	sizes           []Layer
	sbom            *SBOM
	spdx, cyclonedx []byte
}

// findLicenses scans the licences of the linked modules. The result is cached, because the
// first scan is slow.
func (r *run) findLicenses(ctx context.Context, u *unit, modules []golist.Module) error {
	std := license.Standard(r.resolved.Go.Root, r.resolved.Plan.Toolchain.Version)
	u.modules = modules
	scanned := []license.Module{std}
	for _, m := range u.modules {
		scanned = append(scanned, license.Module{Path: m.Path, Version: m.Version, Sum: m.Sum, Dir: m.Dir, Packages: m.Packages})
	}
	results, err := license.Scan(ctx, scanned, r.memo)
	if err != nil {
		return err
	}
	u.licenses = map[string]license.Result{}
	for _, result := range results {
		u.licenses[result.Path] = result
	}
	if !u.image.LicenseTexts {
		return nil
	}
	var third []license.Module
	var thirdResults []license.Result
	for i, m := range scanned {
		if m.Path != r.resolved.Plan.Module.Path {
			third, thirdResults = append(third, m), append(thirdResults, results[i])
		}
	}
	u.texts, err = r.licenseTexts(third, thirdResults)
	return err
}

// licenseTexts reads the texts of the same modules only once for all images.
func (r *run) licenseTexts(modules []license.Module, results []license.Result) ([]byte, error) {
	key, err := json.Marshal(results)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	texts := r.texts[string(key)]
	if texts == nil {
		texts = sync.OnceValues(func() ([]byte, error) { return license.Texts(modules, results) })
		r.texts[string(key)] = texts
	}
	r.mu.Unlock()
	return texts()
}

func (r *run) memo(key string, make func() ([]byte, error)) ([]byte, error) {
	return r.cache.Value(r.cacheVersion+key, make)
}

// ownLicenses returns the licence of the service as an SPDX expression: that of its module's
// root, else that of the repository; "" if there is none.
func (r *run) ownLicenses(ctx context.Context) (string, error) {
	for _, dir := range r.resolved.LicenseFolders() {
		results, err := license.Scan(ctx, []license.Module{{Path: r.resolved.Plan.Module.Path, Dir: dir, Packages: []string{"."}}}, r.memo)
		if err != nil {
			return "", err
		}
		if declared := results[0].Declared; declared != "" {
			return declared, nil
		}
	}
	return "", nil
}

// buildImage builds the image from the layers.
func (r *run) buildImage(u *unit) error {
	var err error
	u.built, err = image.Build(image.Input{
		Plan: r.resolved.Plan.Of(u.image), Image: u.image, Platform: u.platform,
		Binary: r.debug.binary(u), Entrypoint: r.debug.entrypoint(u), Needs: u.files(), Layers: u.layers, Base: u.base.Image,
	})
	if err != nil {
		return err
	}
	digest, err := u.built.Digest()
	if err != nil {
		return err
	}
	manifest, err := u.built.Manifest()
	if err != nil {
		return err
	}
	size, err := u.built.Size()
	if err != nil {
		return err
	}
	u.digest, u.imageSize = digest.String(), size+manifest.Config.Size
	layers := slices.Concat(u.base.Layers(), u.layers)
	for i, l := range manifest.Layers {
		u.imageSize += l.Size
		u.sizes = append(u.sizes, Layer{Name: layers[i].Name, Digest: l.Digest.String(), Size: l.Size})
	}
	return nil
}

// describe takes both SBOMs from the cache or makes them. Their key covers everything they are
// made of, in a short form.
func (r *run) describe(ctx context.Context, u *unit) error {
	key, err := json.Marshal(struct {
		Plan               *plan.Plan
		Image              plan.Image
		Platform           plan.Platform
		Binary             string
		Modules            []golist.Module
		Licenses           map[string]license.Result
		Rootfs, Assets     string
		Base               string
		LicenseTextsDigest string
		Debug              string
	}{r.resolved.Plan.Of(u.image), u.image.Untagged(), u.platform, u.sha256, u.modules, u.licenses, u.rootfsKey, u.assetsKey, u.base.Key, fmt.Sprintf("%x", sha256.Sum256(u.texts)), r.debug.key(u)})
	if err != nil {
		return err
	}
	kept, err := r.cache.Value(fmt.Sprintf("%ssbom-%x", r.cacheVersion, sha256.Sum256(key)), func() ([]byte, error) {
		in, err := r.describeInput(ctx, u)
		if err != nil {
			return nil, err
		}
		spdx, err := describe.SPDX(in)
		if err != nil {
			return nil, err
		}
		cdx, err := describe.CycloneDX(in)
		if err != nil {
			return nil, err
		}
		components, err := describe.Components(in)
		if err != nil {
			return nil, err
		}
		head := fmt.Sprintf("%d %d\n", components, len(spdx))
		return slices.Concat([]byte(head), spdx, cdx), nil
	})
	if err != nil {
		return err
	}
	head, docs, _ := bytes.Cut(kept, []byte("\n"))
	var components, length int
	if _, err := fmt.Sscan(string(head), &components, &length); err != nil || length > len(docs) {
		return fmt.Errorf("read the SBOMs from the cache: %q", head)
	}
	u.spdx, u.cyclonedx = docs[:length], docs[length:]
	name := path.Join("sbom", u.image.Name+r.debug.suffix()+"_"+u.platform.Key())
	u.sbom = &SBOM{SPDX: name + ".spdx.json", CycloneDX: name + ".cdx.json", Components: components}
	return nil
}

// describeInput collects what the documents are made of.
func (r *run) describeInput(ctx context.Context, u *unit) (describe.Input, error) {
	in, err := r.linked(ctx, u)
	if err != nil {
		return describe.Input{}, err
	}
	sums, err := u.digests()
	if err != nil {
		return describe.Input{}, err
	}
	licenses := tree.LicensesPath
	in.Binary = describe.Binary{
		Path: tree.AppPath(u.image.Name), Name: u.image.Name, Size: u.size,
		SHA1: sums.sha1, SHA256: u.sha256, SHA512: sums.sha512,
	}
	if u.archiveOnly { // its path in the archive
		in.Binary.Path, licenses = "/"+u.platform.Executable(u.image.Name), "/"+archive.LicensesFile
	}
	if len(u.texts) > 0 {
		h1, h256, h512 := sha1.Sum(u.texts), sha256.Sum256(u.texts), sha512.Sum512(u.texts)
		in.Assets = append(in.Assets, describe.Asset{File: tree.File{
			Path: licenses, Size: int64(len(u.texts)),
			SHA1: hex.EncodeToString(h1[:]), SHA256: hex.EncodeToString(h256[:]), SHA512: hex.EncodeToString(h512[:]),
		}})
	}
	return in, r.debug.describe(ctx, u, &in)
}

// describer combines what a binary's build info, go list and the licence files say about a
// module.
func describer(listed []golist.Module, licenses map[string]license.Result) func(*debug.Module) describe.Module {
	imports := map[string][]string{}
	for _, m := range listed {
		imports[m.Path] = m.Imports
	}
	return func(m *debug.Module) describe.Module {
		d := describe.Module{Path: m.Path, Version: m.Version, Sum: m.Sum, Imports: imports[m.Path], License: licenses[m.Path]}
		if m.Replace != nil {
			d.Replace = &describe.Module{Path: m.Replace.Path, Version: m.Replace.Version, Sum: m.Replace.Sum}
		}
		return d
	}
}

// linked returns the modules of an image. They come from the binary's build info; go list adds
// their dependencies on each other.
func (r *run) linked(ctx context.Context, u *unit) (describe.Input, error) {
	components, err := u.components(ctx)
	if err != nil {
		return describe.Input{}, err
	}
	module := describer(u.modules, u.licenses)
	p := r.resolved.Plan
	in := describe.Input{
		Plan: p.Of(u.image), Image: u.image.Untagged(), Platform: u.platform,
		Main:       module(&u.build.Main),
		Std:        describe.Module{Path: "std", Version: p.Toolchain.Version, License: u.licenses["std"]},
		Components: components,
		Compiler:   compilerFor(p, u.platform),
	}
	for _, l := range u.libraries {
		in.Libraries = append(in.Libraries, describe.Library{Name: l.Name, Path: l.Path, Component: l.Package})
	}
	for _, m := range u.build.Deps {
		in.Modules = append(in.Modules, module(m))
	}
	return in, nil
}

// Document is the SBOM of one image for one platform, from the output folder.
type Document struct {
	Image    string
	Platform plan.Platform
	// SPDX and CycloneDX are the bytes of the documents.
	SPDX, CycloneDX []byte
	// Components are those of the CycloneDX document.
	Components []Component
}

// Component is one line of an SBOM. License is an SPDX expression; "" if unknown.
type Component struct{ Name, Version, License string }

// SBOMs reads the SBOMs in the output folder. The error is fs.ErrNotExist when no image was
// made yet.
func SBOMs(ctx context.Context, o Options) ([]Document, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(s.Dist, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the SBOMs: %s has no image yet; make one with \"mage image\": %w", s.Config.Dist, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("read the SBOMs: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("read the SBOMs: manifest.json: %w", err)
	}
	var documents []Document
	for _, img := range m.Images {
		for _, p := range img.Platforms {
			if p.SBOM == nil {
				continue
			}
			d := Document{Image: img.Name, Platform: p.Platform}
			if d.SPDX, err = os.ReadFile(filepath.Join(s.Dist, filepath.FromSlash(p.SBOM.SPDX))); err != nil {
				return nil, fmt.Errorf("read the SBOMs: %w", err)
			}
			if d.CycloneDX, err = os.ReadFile(filepath.Join(s.Dist, filepath.FromSlash(p.SBOM.CycloneDX))); err != nil {
				return nil, fmt.Errorf("read the SBOMs: %w", err)
			}
			if d.Components, err = listComponents(d.CycloneDX); err != nil {
				return nil, fmt.Errorf("read the SBOMs: %s: %w", p.SBOM.CycloneDX, err)
			}
			documents = append(documents, d)
		}
	}
	if len(documents) == 0 {
		return nil, fmt.Errorf("read the SBOMs: %s has no image yet; make one with \"mage image\": %w", s.Config.Dist, fs.ErrNotExist)
	}
	return documents, nil
}

func listComponents(document []byte) ([]Component, error) {
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(document), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, err
	}
	if bom.Components == nil {
		return nil, nil
	}
	var list []Component
	for _, c := range *bom.Components {
		item := Component{Name: c.Name, Version: c.Version}
		if c.Licenses != nil && len(*c.Licenses) > 0 {
			first := (*c.Licenses)[0]
			item.License = first.Expression
			if first.License != nil {
				item.License = first.License.ID
			}
		}
		list = append(list, item)
	}
	return list, nil
}

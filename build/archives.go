package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/publish"
)

// archivedLicenses has the licence texts of what a binary links.
const archivedLicenses = "THIRD_PARTY_LICENSES"

// archives stages a release archive for each image and platform, with the same binary
// as in the image, and for the platforms without one; the checksums of all with a Sigstore bundle, and the notes.
func (rel *release) archives(ctx context.Context, dist *publish.Dist, units []*unit) error {
	if rel.Config.Release.OmitArchives {
		return nil
	}
	p := rel.resolved.Plan
	own, err := rel.ownFiles()
	if err != nil {
		return err
	}
	sums := map[string]string{}
	for _, u := range slices.Concat(units, rel.bare) {
		folder := archive.Name(u.image.Name, p.Version, u.platform)
		name := folder + archive.Extension(u.platform.OS)
		in := archive.Input{
			Folder: folder, Modified: p.Created(),
			Entries: append(slices.Clone(own), archive.Entry{Name: u.platform.Executable(u.image.Name), Executable: true, File: u.path}),
		}
		if len(u.texts) > 0 {
			in.Entries = append(in.Entries, archive.Entry{Name: archivedLicenses, Data: u.texts})
		}
		result := ArchiveResult{Path: path.Join("archives", name), Image: u.image.Name, Platform: u.platform}
		result.SBOM = &SBOM{SPDX: path.Join("archives", folder+".spdx.json"), CycloneDX: path.Join("archives", folder+".cdx.json"), Components: u.sbom.Components}
		made, err := rel.archive(ctx, dist, result.Path, u, in)
		if err != nil {
			return err
		}
		result.SHA256, result.Size = made.SHA256, made.Size
		sums[name] = result.SHA256
		for _, sbom := range []struct {
			path     string
			document []byte
		}{{result.SBOM.SPDX, u.spdx}, {result.SBOM.CycloneDX, u.cyclonedx}} {
			if err := dist.Write(sbom.path, sbom.document); err != nil {
				return err
			}
			digest := sha256.Sum256(sbom.document)
			sums[path.Base(sbom.path)] = hex.EncodeToString(digest[:])
		}
		rel.done.Archives = append(rel.done.Archives, result)
	}
	if err := rel.checksums(ctx, dist, archive.Checksums(sums)); err != nil {
		return err
	}
	return rel.notes(ctx, dist)
}

// archived is an archive that was made, as the cache remembers it.
type archived struct {
	SHA256 string
	Size   int64
}

// archive stages one archive. The file that an earlier run has left stays, if it is what
// that run made of the same files.
func (rel *release) archive(ctx context.Context, dist *publish.Dist, name string, u *unit, in archive.Input) (archived, error) {
	key := sha256.New()
	fmt.Fprintf(key, "%s %s %d\n", name, in.Folder, in.Modified.Unix())
	for _, e := range in.Entries {
		sum := u.sha256
		if e.File != u.path {
			var err error
			if sum, err = entrySum(e); err != nil {
				return archived{}, fmt.Errorf("write archive %s: %w", in.Folder, err)
			}
		}
		fmt.Fprintf(key, "%q %t %s\n", e.Name, e.Executable, sum)
	}
	made := false
	create := func() (a archived, err error) {
		made = true
		sum := sha256.New()
		err = dist.Create(ctx, name, func(w io.Writer) error {
			counted := &countingWriter{w: io.MultiWriter(w, sum)}
			err := archive.Write(ctx, counted, archive.Extension(u.platform.OS), in)
			a.Size = counted.n
			return err
		})
		a.SHA256 = hex.EncodeToString(sum.Sum(nil))
		return a, err
	}
	a, err := value(rel.run, "archive-"+hex.EncodeToString(key.Sum(nil)), create)
	if err != nil || made {
		return a, err
	}
	before := filepath.Join(rel.dist, filepath.FromSlash(name))
	if sum, err := entrySum(archive.Entry{File: before}); err != nil || sum != a.SHA256 {
		return create()
	}
	return a, dist.Link(ctx, name, before)
}

// entrySum is the SHA-256 of an entry's content, in hex.
func entrySum(e archive.Entry) (string, error) {
	sum := sha256.New()
	sum.Write(e.Data)
	if e.File != "" {
		f, err := os.Open(e.File)
		if err != nil {
			return "", err
		}
		defer f.Close() // only read
		if _, err := io.Copy(sum, f); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// checksums stages the list and its bundle. One that is there and verifies stays, as
// signatures in a registry do.
func (rel *release) checksums(ctx context.Context, dist *publish.Dist, list []byte) error {
	const name = "archives/checksums.txt"
	bundle, err := os.ReadFile(filepath.Join(rel.dist, filepath.FromSlash(name+".sigstore.json")))
	if err == nil {
		_, err = attest.VerifyBlob(list, bundle, rel.trust)
	}
	if err != nil {
		if bundle, err = attest.SignBlob(ctx, rel.signer, list); err != nil {
			return err
		}
		if _, err := attest.VerifyBlob(list, bundle, rel.trust); err != nil {
			return err
		}
	}
	if err := dist.Write(name, list); err != nil {
		return err
	}
	return dist.Write(name+".sigstore.json", bundle)
}

// notes stages the commits since the last release.
func (rel *release) notes(ctx context.Context, dist *publish.Dist) error {
	previous, commits, err := rel.resolved.History(ctx)
	if err != nil {
		return err
	}
	r := archive.Release{Version: rel.resolved.Plan.Version, Previous: previous, Source: rel.resolved.Plan.Source}
	for _, c := range commits {
		r.Commits = append(r.Commits, archive.Commit(c))
	}
	return dist.Write("archives/notes.md", archive.Notes(r))
}

// ownFiles are the module's own licence and README files, or the repository's.
func (rel *release) ownFiles() ([]archive.Entry, error) {
	var entries []archive.Entry
	for _, dir := range rel.resolved.LicenseFolders() {
		files, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("find LICENSE and README: %w", err)
		}
		for _, f := range files {
			name := strings.ToUpper(f.Name())
			wanted := slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "README"}, func(s string) bool {
				return name == s || strings.HasPrefix(name, s+".")
			})
			if !wanted || !f.Type().IsRegular() || slices.ContainsFunc(entries, func(e archive.Entry) bool { return kind(e.Name) == kind(f.Name()) }) {
				continue
			}
			entries = append(entries, archive.Entry{Name: f.Name(), File: filepath.Join(dir, f.Name())})
		}
	}
	return entries, nil
}

// kind tells a LICENSE from a README, whatever their extensions.
func kind(name string) string {
	k, _, _ := strings.Cut(strings.ToUpper(name), ".")
	return k
}

// countingWriter counts what goes through it.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// ArchiveInput is the content of archives and notes.
type ArchiveInput struct {
	Programs []Program
	// Own are the licence and README files of the repository.
	Own []archive.Entry
	// Commits are the commits since Previous, the tag of the previous release, newest first.
	Previous string
	Commits  []archive.Commit
	// Verify are the commands that verify the release.
	Verify []string
}

// Program is the content of an archive.
type Program struct {
	// Image is the image's name.
	Image    string
	Platform plan.Platform
	// Executables are the programs of the image.
	Executables []Executable
	// Licenses are the licence texts of linked modules; empty if they are not wanted.
	Licenses []byte
	// SPDX and CycloneDX are the SBOMs. Components is the number of components in CycloneDX.
	SPDX, CycloneDX []byte
	Components      int
}

// Executable is a program in an archive.
type Executable struct {
	// Name is the file name.
	Name string
	// SHA256 is in hex, Size in bytes.
	SHA256 string
	Size   int64
	Open   func() (io.ReadCloser, error)
}

// Memo returns the earlier result of make for the same key, or calls make.
type Memo func(key string, make func() ([]byte, error)) ([]byte, error)

// Archives stages a release archive for each program, with the licence and README files of the
// repository, the checksums of all archives with a Sigstore bundle, and the notes. It stages
// nothing if Config.Release.OmitArchives is set.
func Archives(ctx context.Context, s *session.Session, p *plan.Plan, signer signing.Signer,
	dist *publish.Dist, memo Memo, in ArchiveInput) ([]report.ArchiveResult, error) {
	var all []report.ArchiveResult
	err := s.Stage("archive", func() (string, error) {
		if s.Config.Release.OmitArchives {
			return "", nil
		}
		sums := map[string]string{}
		for _, program := range in.Programs {
			a, err := writeArchive(ctx, p, dist, memo, program, in.Own)
			if err != nil {
				return "", err
			}
			all = append(all, a)
			sums[path.Base(a.Path)] = a.SHA256
			for name, document := range map[string][]byte{a.SBOM.SPDX: program.SPDX,
				a.SBOM.CycloneDX: program.CycloneDX} {
				if err := dist.Write(name, document); err != nil {
					return "", err
				}
				sums[path.Base(name)] = sum(document)
			}
		}
		if err := writeChecksums(ctx, s, signer, dist, archive.Checksums(sums)); err != nil {
			return "", err
		}
		notes := archive.Notes(archive.Release{Version: p.Version, Previous: in.Previous, Source: p.Source,
			Commits: in.Commits, Verify: in.Verify})
		return "", dist.Write("archives/notes.md", notes)
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// archived is a finished archive, as stored in the cache.
type archived struct {
	SHA256 string
	Size   int64
}

// writeArchive stages one archive. It keeps the file of an earlier run if that run made it from
// the same files.
func writeArchive(ctx context.Context, p *plan.Plan, dist *publish.Dist, memo Memo, program Program,
	own []archive.Entry) (report.ArchiveResult, error) {
	folder, extension := archive.Name(program.Image, p.Version, program.Platform),
		archive.Extension(program.Platform.OS)
	out := report.ArchiveResult{
		Path: path.Join("archives", folder+extension), Image: program.Image, Platform: program.Platform,
		SBOM: &report.SBOM{
			SPDX:      path.Join("archives", folder+".spdx.json"),
			CycloneDX: path.Join("archives", folder+".cdx.json"), Components: program.Components,
		},
	}
	in := archive.Input{Folder: folder, Modified: p.Created(), Entries: slices.Clone(own)}
	hashes := map[string]string{}
	for _, e := range program.Executables {
		in.Entries = append(in.Entries, archive.Entry{Name: e.Name, Executable: true,
			Size: e.Size, Open: e.Open})
		hashes[e.Name] = e.SHA256
	}
	if len(program.Licenses) > 0 {
		in.Entries = append(in.Entries, archive.Entry{Name: archive.LicensesFile, Data: program.Licenses})
	}
	key := sha256.New()
	fmt.Fprintf(key, "%s %s %d\n", out.Path, in.Folder, in.Modified.Unix())
	for _, e := range in.Entries {
		content := hashes[e.Name]
		if e.Open == nil {
			content = sum(e.Data)
		}
		fmt.Fprintf(key, "%q %t %s\n", e.Name, e.Executable, content)
	}
	var made archived
	fresh := false
	create := func() ([]byte, error) {
		var err error
		fresh = true
		if made, err = createArchive(ctx, dist, out.Path, extension, in); err != nil {
			return nil, err
		}
		return json.Marshal(made)
	}
	kept, err := memo("archive-"+hex.EncodeToString(key.Sum(nil)), create)
	if err == nil && !fresh {
		err = json.Unmarshal(kept, &made)
		inPlace := false
		if err == nil {
			inPlace, err = dist.Keep(ctx, out.Path, made.SHA256)
		}
		if err == nil && !inPlace {
			_, err = create()
		}
	}
	out.SHA256, out.Size = made.SHA256, made.Size
	return out, err
}

func createArchive(ctx context.Context, dist *publish.Dist, name, extension string,
	in archive.Input) (archived, error) {
	sum := sha256.New()
	counted := &countingWriter{w: sum}
	err := dist.Create(ctx, name, func(w io.Writer) error {
		return archive.Write(ctx, io.MultiWriter(w, counted), extension, in)
	})
	return archived{hex.EncodeToString(sum.Sum(nil)), counted.n}, err
}

// sum returns the SHA-256 in hex.
func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// writeChecksums stages the list and its bundle. It keeps an existing bundle by this run's
// signer, like signatures in a registry.
func writeChecksums(ctx context.Context, s *session.Session, signer signing.Signer, dist *publish.Dist,
	list []byte) error {
	const name = "archives/checksums.txt"
	trust := signer.Trust.Of(signer.Signer)
	bundle, err := os.ReadFile(filepath.Join(s.Dist, filepath.FromSlash(name+".sigstore.json")))
	if err == nil {
		_, err = attest.VerifyBlob(list, bundle, trust)
	}
	if err != nil {
		if bundle, err = attest.SignBlob(ctx, signer.Signer, list); err != nil {
			return err
		}
		if _, err := attest.VerifyBlob(list, bundle, trust); err != nil {
			return err
		}
	}
	if err := dist.Write(name, list); err != nil {
		return err
	}
	return dist.Write(name+".sigstore.json", bundle)
}

// countingWriter counts the bytes written through it.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

package release

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
)

// Describe returns the images with the facts for their documents and signatures.
func Describe(ctx context.Context, images []*assemble.Image) ([]artifact.Described, error) {
	all := make([]artifact.Described, len(images))
	for i, img := range images {
		var err error
		if all[i], err = img.Described(ctx); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ArchiveContent returns what the archives are made of, including platforms without images, and what
// the notes say; nothing if Config.Release.OmitArchives is set.
func ArchiveContent(ctx context.Context, s *session.Session, draft *resolve.Draft,
	made *pipeline.Built) (in ArchiveInput, err error) {
	if s.Config.Release.OmitArchives {
		return in, nil
	}
	for _, i := range made.All() {
		program := Program{
			Image: i.Image.Name, Platform: i.Platform, Licenses: i.Texts, SPDX: i.SPDX,
			CycloneDX: i.CycloneDX, Components: i.Components,
		}
		for _, e := range i.Executables() {
			program.Executables = append(program.Executables,
				Executable{e.Binary.Program.File(), e.SHA256, e.Binary.Size, e.Binary.Open})
		}
		in.Programs = append(in.Programs, program)
	}
	in.Own = made.Archived
	previous, commits, err := draft.History(ctx)
	in.Previous = previous
	for _, c := range commits {
		in.Commits = append(in.Commits, archive.Commit(c))
	}
	return in, err
}

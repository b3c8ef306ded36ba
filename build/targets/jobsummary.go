package targets

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build"
)

// jobSummary adds a result to the summary of a CI job, in Markdown: to the file of
// GITHUB_STEP_SUMMARY, where there is one. env is the environment.
func jobSummary(env func(string) string, r *build.Result) (err error) {
	file := env("GITHUB_STEP_SUMMARY")
	if file == "" || len(r.Images) == 0 || r.Images[0].Digest == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the job's summary: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("write the job's summary: %w", closeErr))
		}
	}()
	if err := markdown(f, r); err != nil {
		return fmt.Errorf("write the job's summary: %w", err)
	}
	return nil
}

// markdown is the summary itself: each image with its digest, sizes and SBOM components,
// and how to verify a release.
func markdown(w io.Writer, r *build.Result) error {
	var b strings.Builder
	for _, img := range r.Images {
		fmt.Fprintf(&b, "### `%s`\n\n`%s`\n\n| platform | size | SBOM components | digest |\n| --- | ---: | ---: | --- |\n", img.Reference, img.Digest)
		for _, p := range img.Platforms {
			components := 0
			if p.SBOM != nil {
				components = p.SBOM.Components
			}
			fmt.Fprintf(&b, "| %s | %s | %d | `%s` |\n", p.Platform, size(p.Size), components, p.Digest)
		}
		b.WriteString("\n")
	}
	if len(r.Signatures) > 0 {
		fmt.Fprintf(&b, "%d signatures and %d attestations were verified. To verify them, in `%s`:\n\n```sh\n%s\n```\n\n",
			len(r.Signatures), len(r.Attestations), filepath.ToSlash(filepath.Join(relative(r.Dist), "verify")), strings.Join(r.VerifyCommands, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

package targets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/report"
)

// inCI reports whether a CI server runs this. If so, a summary in Markdown is written to
// dist/summary.md, to be kept as an artifact. env returns the environment's variables.
func inCI(env func(string) string) bool {
	ci, err := strconv.ParseBool(env("CI"))
	return ci && err == nil || env("GITLAB_CI") != "" || env("GITHUB_STEP_SUMMARY") != ""
}

// jobSummary adds the summary of a result to the job summary of GitHub Actions: to the file
// named by GITHUB_STEP_SUMMARY, if it is set.
func jobSummary(env func(string) string, r *build.Result) (err error) {
	file := env("GITHUB_STEP_SUMMARY")
	if file == "" || len(r.Images) == 0 || r.Images[0].Digest == "" {
		return nil
	}
	text, err := markdown(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the job's summary: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the job's summary: %w", err)
	}
	return nil
}

// markdown returns the summary: each image with its digest, its sizes compared with the
// previous release, if known, its SBOM components, and the commands that verify a release.
func markdown(r *build.Result) ([]byte, error) {
	var b strings.Builder
	for _, img := range r.Images {
		fmt.Fprintf(&b, "### %s\n\n%s\n\n", plaintext.Code(img.Reference), plaintext.Code(img.Digest))
		before, known := r.Previous[img.Name]
		if known && before.Digest == img.Digest {
			fmt.Fprintf(&b, "The same image as %s.\n\n", plaintext.Code(before.Tag))
		}
		since, align := "", ""
		if known {
			since, align = fmt.Sprintf(" since %s |", plaintext.Code(before.Tag)), " ---: |"
		}
		fmt.Fprintf(&b, "| platform | size |%s SBOM components | digest |\n| --- | ---: |%s ---: | --- |\n",
			since, align)
		for _, p := range img.Platforms {
			components := 0
			if p.SBOM != nil {
				components = p.SBOM.Components
			}
			changed := ""
			if known {
				changed = " " + change(p, before) + " |"
			}
			fmt.Fprintf(&b, "| %s | %s |%s %d | %s |\n", plaintext.Markdown(p.Platform.String()),
				size(p.Size), changed, components, plaintext.Code(p.Digest))
		}
		b.WriteString("\n")
	}
	if len(r.Signatures) > 0 {
		fmt.Fprintf(&b, "%d signatures and %d attestations were verified. To verify them, in %s:\n\n```sh\n",
			len(r.Signatures), len(r.Attestations),
			plaintext.Code(filepath.ToSlash(filepath.Join(relative(r.Dist), "verify"))))
		for _, c := range r.VerifyCommands {
			fmt.Fprintf(&b, "%s\n", plaintext.Line(c))
		}
		b.WriteString("```\n\n")
	}
	return []byte(b.String()), nil
}

// change returns the difference to the size of the same platform in the previous release.
func change(p report.PlatformResult, before report.PreviousImage) string {
	for _, was := range before.Platforms {
		if was.Platform != p.Platform {
			continue
		}
		switch d := p.Size - was.Size; {
		case d > 0:
			return fmt.Sprintf("+%s (%+.1f %%)", size(d), 100*float64(d)/float64(was.Size))
		case d < 0:
			return fmt.Sprintf("−%s (−%.1f %%)", size(-d), 100*float64(-d)/float64(was.Size))
		case p.Digest == was.Digest:
			return "unchanged"
		}
		return "0 B"
	}
	return "new"
}

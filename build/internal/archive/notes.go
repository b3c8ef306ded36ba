package archive

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/thimble-build/thimble/build/internal/plaintext"
)

// Commit is one line of the notes.
type Commit struct {
	// Hash is the full hash, Subject the message's first line.
	Hash, Subject string
}

// Release is the content of the notes.
type Release struct {
	Version string
	// Previous is the tag before the commits; empty for the first release.
	Previous string
	// Source is the repository's URL; empty if unknown.
	Source string
	// Commits, the newest first.
	Commits []Commit
	// Verify are the commands that verify the release in the folder verify.
	Verify []string
}

// Notes returns the release's notes in Markdown: each commit with a link to it, if the repository
// is on a host that shows commits below /commit/.
func Notes(r Release) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", plaintext.Markdown(r.Version))
	switch {
	case len(r.Commits) == 0:
		b.WriteString("No commits")
	case len(r.Commits) == 1:
		b.WriteString("1 commit")
	default:
		fmt.Fprintf(&b, "%d commits", len(r.Commits))
	}
	if r.Previous != "" {
		fmt.Fprintf(&b, " since %s", plaintext.Markdown(r.Previous))
	}
	b.WriteString(".\n")
	if len(r.Commits) > 0 {
		b.WriteByte('\n')
	}
	for _, c := range r.Commits {
		short := c.Hash[:min(12, len(c.Hash))]
		if r.Source != "" {
			fmt.Fprintf(&b, "- %s ([%s](%s/commit/%s))\n", plaintext.Markdown(c.Subject), short,
				target(r.Source), c.Hash)
		} else {
			fmt.Fprintf(&b, "- %s (%s)\n", plaintext.Markdown(c.Subject), short)
		}
	}
	if len(r.Verify) > 0 {
		b.WriteString("\n## Verify\n\nIn a folder with the files of `verify`, with cosign:\n\n```sh\n")
		for _, c := range r.Verify {
			b.WriteString(plaintext.Line(c) + "\n")
		}
		b.WriteString("```\n")
	}
	return b.Bytes()
}

// target returns a URL as the target of a link; no character in it can end the link.
func target(url string) string {
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", " ", "%20", `\`,
		"%5C").Replace(plaintext.Line(url))
}

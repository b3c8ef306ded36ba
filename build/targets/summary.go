package targets

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// summarize writes what a run made, for a reader: each image with its reference, digest, layers
// and sizes, the parts of an operating system in it with the reasons, and the time by stage.
func summarize(out io.Writer, r *build.Result) error {
	w := bufio.NewWriter(out)
	dist := relative(r.Dist)
	for _, img := range r.Images {
		fmt.Fprintln(w)
		if img.Digest == "" {
			plaintext.Fprintf(w, "%s %s\n", img.Name, r.Plan.Version)
		} else {
			plaintext.Fprintf(w, "%s\n  digest  %s\n  layout  %s\n", img.Reference, img.Digest,
				filepath.Join(dist, filepath.FromSlash(img.Layout)))
			inputs(w, r, img.Name)
		}
		if len(r.Signatures) > 0 { // a release: its platforms, and what it made besides, fit one screen
			briefly(w, img.Platforms)
			continue
		}
		for _, p := range img.Platforms {
			platform(w, dist, p)
		}
		reasons(w, img.Platforms)
	}
	if r.Archive != "" {
		plaintext.Fprintf(w, "\narchive   %s\n", r.Archive)
	}
	for i, l := range r.Loaded {
		plaintext.Fprintf(w, "\nloaded    into %s %s as %s\n", l.Engine, l.Version, l.ID)
		plaintext.Fprintf(w, "run it    %s run --rm %s%s\n", l.Engine,
			published(r.Plan.Images[i].Runtime.Ports), r.Images[i].Reference)
	}
	for i, c := range r.Instructions {
		if i == 0 || r.Instructions[i-1].Image != c.Image {
			plaintext.Fprintf(w, "\nhow to use %s\n", c.Image)
		}
		plaintext.Fprintf(w, "  %s\n    %s\n", c.Purpose, c.Command)
	}
	if text := r.Plan.GeneratedText(); text != "" {
		plaintext.Fprintf(w, "\n%s\n", text)
	}
	released(w, dist, r)
	fmt.Fprintln(w)
	plaintext.Fprintf(w, "%s in all", progress.Duration(r.Elapsed))
	stages := slices.SortedFunc(slices.Values(r.Stages),
		func(a, b report.Stage) int { return int(b.Elapsed - a.Elapsed) })
	for i, s := range stages {
		if i == 3 || s.Elapsed < 10*time.Millisecond {
			break
		}
		plaintext.Fprintf(w, " · %s %s", s.Name, progress.Duration(s.Elapsed))
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// published returns the options that publish ports on this machine: "-p 127.0.0.1:8080:8080 ".
func published(ports []string) (options string) {
	for _, port := range ports {
		number, _, _ := strings.Cut(port, "/")
		options += fmt.Sprintf("-p 127.0.0.1:%s:%s ", number, port)
	}
	return options
}

// inputs prints the age of an image with a stable digest.
func inputs(w io.Writer, r *build.Result, name string) {
	for _, img := range r.Plan.Images {
		if in := img.Inputs; img.Name == name && in != nil {
			changed := in.DirtyFile
			if changed == "" {
				changed = in.Revision[:min(12, len(in.Revision))]
			}
			plaintext.Fprintf(w, "  inputs  last changed by %s, %s\n", changed,
				time.Unix(in.SourceDateEpoch, 0).UTC().Format(time.DateOnly))
		}
	}
}

// released prints what a release made in addition to images.
func released(w io.Writer, dist string, r *build.Result) {
	if len(r.Signatures) == 0 {
		return
	}
	plaintext.Fprintf(w, "\nverified  %d signatures, %d attestations\n", len(r.Signatures),
		len(r.Attestations))
	const listed = 4
	if len(r.Archives) > listed {
		var total int64
		for _, a := range r.Archives {
			total += a.Size
		}
		plaintext.Fprintf(w, "archives  %d in %s  %s\n", len(r.Archives), filepath.Join(dist, "archives"),
			size(total))
	} else {
		for _, a := range r.Archives {
			plaintext.Fprintf(w, "archive   %s  %s\n", filepath.Join(dist, filepath.FromSlash(a.Path)),
				size(a.Size))
		}
	}
	plaintext.Fprintf(w, "verify it sh %s\n", filepath.Join(dist, "verify", "verify.sh"))
}

// briefly prints a line for each platform: its size, and those of its layers.
func briefly(w io.Writer, platforms []report.PlatformResult) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range platforms {
		var layers []string
		for _, l := range p.Layers {
			layers = append(layers, l.Name+" "+size(l.Size))
		}
		plaintext.Fprintf(t, "  %s\t%s\t%s\n", p.Platform, size(p.Size), strings.Join(layers, ", "))
	}
	_ = t.Flush() // into a bufio.Writer, which keeps the error
}

func platform(w io.Writer, dist string, p report.PlatformResult) {
	if p.Digest == "" {
		for _, b := range append([]report.Binary{p.Binary}, p.Programs...) {
			plaintext.Fprintf(w, "  %-14s %9s  %s\n", p.Platform, size(b.Size),
				filepath.Join(dist, filepath.FromSlash(b.Path)))
		}
		return
	}
	plaintext.Fprintf(w, "\n  %s  %s\n", p.Platform, size(p.Size))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range p.Layers {
		holds := ""
		for _, b := range p.Programs {
			if l.Name == "program "+path.Base(b.Path) {
				holds = size(b.Size) + " of binary"
			}
		}
		switch l.Name {
		case "binary":
			holds = fmt.Sprintf("%s of static binary", size(p.Binary.Size))
			if !p.Binary.Static {
				holds = fmt.Sprintf("%s of binary, linked with %s", size(p.Binary.Size),
					strings.Join(linked(p.Binary.Libraries), ", "))
			}
		case "base":
			holds = p.Base
		case "rootfs":
			holds = strings.Join(included(p.Needs), ", ")
		case "debug":
			holds = "dlv, busybox"
		case "symbols":
			holds = "for build id " + p.Binary.BuildID
		case "assets":
			holds = "your files"
		}
		plaintext.Fprintf(t, "    %s\t%s\t%s\n", l.Name, size(l.Size), holds)
	}
	if p.SBOM != nil {
		plaintext.Fprintf(t, "    sbom\t%s\t%s\n", progress.Count(p.SBOM.Components, "component"),
			filepath.Join(dist, filepath.FromSlash(p.SBOM.SPDX)))
	}
	_ = t.Flush() // into a bufio.Writer, which keeps the error
}

// reasons prints why the images have parts of an operating system: once for all platforms that agree.
func reasons(w io.Writer, platforms []report.PlatformResult) {
	var told [][]report.Need
	for _, p := range platforms {
		known := slices.ContainsFunc(told, func(needs []report.Need) bool {
			return reflect.DeepEqual(needs,
				p.Needs)
		})
		if p.Digest == "" || len(p.Needs) == 0 || known {
			continue
		}
		told = append(told, p.Needs)
		var names []string
		for _, other := range platforms {
			if reflect.DeepEqual(other.Needs, p.Needs) {
				names = append(names, other.Platform.String())
			}
		}
		switch {
		case len(platforms) == 1:
			why(w, "    why", p.Needs)
		case len(names) == len(platforms):
			fmt.Fprintln(w)
			why(w, "  why", p.Needs)
		default:
			fmt.Fprintln(w)
			why(w, "  why, on "+strings.Join(names, ", "), p.Needs)
		}
	}
}

// why prints the reasons below a heading.
func why(w io.Writer, heading string, needs []report.Need) {
	plaintext.Fprintf(w, "%s\n", heading)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, n := range needs {
		why := strings.Join(n.Evidence, ", ")
		switch {
		case n.Name == plan.NeedExec:
			why = "it can start programs, but the image has none: " + why
		case n.Embedded:
			why = "the binary brings its own: " + why
		}
		plaintext.Fprintf(t, "      %s\t%s\n", n.Name, why)
	}
	_ = t.Flush()
}

// linked returns the names of libraries, without folders.
func linked(libraries []report.Library) []string {
	var names []string
	for _, l := range libraries {
		names = append(names, path.Base(l.Name))
	}
	return names
}

// included returns the needs that the image has files for.
func included(needs []report.Need) []string {
	var names []string
	for _, n := range needs {
		if len(n.Files) > 0 {
			names = append(names, n.Name)
		}
	}
	return names
}

// size formats a number of bytes for a reader: 1.2 MB, 236 kB.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// relative returns a path relative to the current folder if that is shorter.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

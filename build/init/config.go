package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/init/evidence"
	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	kitplan "github.com/thimble-build/thimble/build/plan"
)

// source writes Go source. Each value has a comment with the place where it was found.
type source struct {
	b strings.Builder
	// byHand are the lines for which a comment has to be written.
	byHand []finding.Line
}

func (s *source) line(format string, args ...any) { fmt.Fprintf(&s.b, format+"\n", args...) }

// from writes a line with the place of its value.
func (s *source) from(at finding.Place, format string, args ...any) {
	s.line("%s // %s", fmt.Sprintf(format, args...), plaintext.Line(at.String()))
}

// list writes a list of texts, one a line.
func (s *source) list(name, kind string, values []finding.Value[string]) {
	if len(values) == 0 && !s.has(name) {
		return
	}
	if len(values) == 0 {
		s.comments(name)
		return
	}
	s.line("%s: %s{", name[strings.LastIndex(name, ".")+1:], kind)
	for _, v := range values {
		s.from(v.From, "%q,", v.Value)
	}
	s.comments(name)
	s.line("},")
}

// images writes Before and Images of Config. It returns "" if there is nothing to write.
func images(f *evidence.Found) string {
	s := &source{byHand: slices.DeleteFunc(byHand(f.Lines), ofRelease)}
	var before []finding.Value[[]string]
	settings := !f.Default
	for _, p := range f.Images {
		before = append(before, p.Build.Before...)
		settings = settings || hasSettings(p)
	}
	if len(before) > 0 || s.has("Before") {
		s.before(before)
	}
	for _, p := range f.Images {
		if images, _ := platforms(p); len(images) > 0 {
			s.list("Platforms", "[]string", images)
			break
		}
	}
	if !settings && len(s.byHand) == 0 {
		return s.b.String()
	}
	if !settings {
		s.rest()
		return s.b.String()
	}
	s.line("Images: []build.ImageConfig{")
	var general []finding.Line
	all := s.byHand
	s.byHand = nil
	for i, p := range f.Images {
		for _, l := range all {
			switch {
			case l.Module == p.Module && l.Package == p.Package:
				s.byHand = append(s.byHand, l)
			case i > 0 || ofImage(f.Images, l):
			case l.Setting == "":
				general = append(general, l)
			default:
				s.byHand = append(s.byHand, l)
			}
		}
		s.image(p)
	}
	s.line("},")
	s.byHand = general
	s.rest()
	return s.b.String()
}

// platforms returns the platforms of images, which are for linux and exist for the base, and those
// that get only archives.
func platforms(p finding.Program) (images, archives []finding.Value[string]) {
	for _, v := range p.Build.Platforms {
		parsed, err := kitplan.ParsePlatform(v.Value)
		if err != nil || parsed.OS == "linux" && hasBase(p.Runtime.Base.Value, parsed) {
			images = append(images, v)
		} else {
			archives = append(archives, v)
		}
	}
	return images, archives
}

// hasBase reports whether a base of Debian's packages, which distroless images are made of too, may
// exist for a platform. Scratch exists for all, and nothing is known of other images.
func hasBase(base string, p kitplan.Platform) bool {
	if base != kitplan.BaseDebian && !strings.HasPrefix(base, "distroless/") {
		return true
	}
	if p.Architecture == "arm" {
		return p.Variant == "v7"
	}
	return slices.Contains([]string{"amd64", "arm64", "ppc64le", "s390x", "riscv64"}, p.Architecture)
}

// archivePlatforms returns ArchivePlatforms of a ReleaseConfig, or "".
func archivePlatforms(f *evidence.Found) string {
	for _, p := range f.Images {
		if _, archives := platforms(p); len(archives) > 0 {
			s := &source{}
			s.list("ArchivePlatforms", "[]string", archives)
			return s.b.String()
		}
	}
	return ""
}

// hasSettings reports whether an image needs more than its package.
func hasSettings(p finding.Program) bool {
	one, b := p.Runtime, p.Build
	return p.Name.Set() || len(p.Programs)+len(b.LDFlags)+len(b.Tags)+len(one.Packages)+len(one.Env)+
		len(one.Ports)+len(one.Labels)+len(one.Volumes)+len(one.Assets)+
		len(one.Symlinks)+len(one.Users)+len(one.Capabilities)+len(one.CACertificates)+len(one.Include) > 0 ||
		b.Cgo.Set() || b.FIPS140.Set() || one.Base.Set() || one.Entrypoint.Set() || one.Args.Set() ||
		one.User.Set() || one.WorkingDir.Set() || one.StopSignal.Set() || one.Healthcheck.Set()
}

func (s *source) before(commands []finding.Value[[]string]) {
	s.line("// Commands that make files which the compiler or an image needs.")
	s.line("Before: [][]string{")
	var written []string
	for _, c := range commands {
		text := "{" + quoted(c.Value) + "},"
		if slices.Contains(written, text) {
			continue
		}
		written = append(written, text)
		s.from(c.From, "%s", text)
	}
	s.comments("Before")
	s.line("},")
}

func (s *source) image(p finding.Program) {
	s.line("{")
	if p.From.Line > 0 {
		s.from(p.From, "Package: %q,", p.Package)
	} else {
		s.line("Package: %q,", p.Package)
	}
	if p.Name.Set() {
		s.from(p.Name.From, "Name: %q,", p.Name.Value)
	}
	if len(p.Programs) > 0 {
		s.line("Programs: []build.Program{")
		for _, v := range p.Programs {
			s.from(v.From, "{Package: %q},", v.Value)
		}
		s.line("},")
	}
	s.list("BuildTags", "[]string", p.Build.Tags)
	s.list("LDFlags", "[]string", p.Build.LDFlags)
	s.text("FIPS140", p.Build.FIPS140)
	s.text("Base", p.Runtime.Base)
	s.list("Packages", "[]string", p.Runtime.Packages)
	if c := p.Build.Cgo; c.Set() {
		s.from(c.From, "Cgo: %q,", map[bool]string{true: "on", false: "off"}[c.Value])
	}
	s.comments("Cgo")
	s.list("Include", "[]string", p.Runtime.Include)
	s.list("CACertificates", "[]string", p.Runtime.CACertificates)
	s.assets(p.Runtime.Assets)
	s.symlinks(p.Runtime.Symlinks)
	s.users(p.Runtime.Users)
	s.list("Capabilities", "[]string", p.Runtime.Capabilities)
	s.runtime(p.Runtime)
	s.rest()
	s.line("},")
}

// text writes a setting that is one text.
func (s *source) text(name string, v finding.Value[string]) {
	if v.Set() {
		s.from(v.From, "%s: %q,", name[strings.LastIndex(name, ".")+1:], v.Value)
	}
	s.comments(name)
}

func (s *source) assets(assets []finding.Value[kitplan.Asset]) {
	if len(assets) == 0 {
		s.comments("Assets")
		return
	}
	s.line("Assets: []build.Asset{")
	for _, v := range assets {
		a := v.Value
		var fields []string
		if a.Source != "" {
			fields = append(fields, fmt.Sprintf("Source: %q", a.Source))
		}
		fields = append(fields, fmt.Sprintf("Target: %q", a.Target))
		if a.Mode != 0 {
			fields = append(fields, fmt.Sprintf("Mode: 0o%o", a.Mode))
		}
		if a.UID != 0 {
			fields = append(fields, fmt.Sprintf("UID: %d", a.UID))
		}
		if a.GID != 0 {
			fields = append(fields, fmt.Sprintf("GID: %d", a.GID))
		}
		s.from(v.From, "{%s},", strings.Join(fields, ", "))
	}
	s.comments("Assets")
	s.line("},")
}

func (s *source) symlinks(links []finding.Value[kitplan.Symlink]) {
	if len(links) > 0 {
		s.line("Symlinks: []build.Symlink{")
		for _, v := range links {
			s.from(v.From, "{Path: %q, Target: %q},", v.Value.Path, v.Value.Target)
		}
		s.comments("Symlinks")
		s.line("},")
	}
	s.comments("Symlinks")
}

func (s *source) users(users []finding.Value[kitplan.User]) {
	if len(users) == 0 {
		return
	}
	s.line("Users: []build.User{")
	for _, v := range users {
		u := v.Value
		fields := fmt.Sprintf("Name: %q, UID: %d", u.Name, u.UID)
		if u.GID != 0 {
			fields += fmt.Sprintf(", GID: %d", u.GID)
		}
		if u.Home != "" {
			fields += fmt.Sprintf(", Home: %q", u.Home)
		}
		if u.Shell != "" {
			fields += fmt.Sprintf(", Shell: %q", u.Shell)
		}
		s.from(v.From, "{%s},", fields)
	}
	s.line("},")
}

func (s *source) runtime(r finding.Runtime) {
	at := s.b.Len()
	s.line("Runtime: build.Runtime{")
	empty := s.b.Len()
	s.text("Runtime.User", r.User)
	s.words("Runtime.Entrypoint", r.Entrypoint)
	s.words("Runtime.Args", r.Args)
	s.list("Runtime.Env", "[]string", r.Env)
	s.list("Runtime.Ports", "[]string", r.Ports)
	s.list("Runtime.Volumes", "[]string", r.Volumes)
	s.text("Runtime.WorkingDir", r.WorkingDir)
	s.text("Runtime.StopSignal", r.StopSignal)
	if len(r.Labels) > 0 {
		s.line("Labels: map[string]string{")
		for _, v := range r.Labels {
			name, value, _ := strings.Cut(v.Value, "=")
			s.from(v.From, "%q: %q,", name, value)
		}
		s.line("},")
	}
	if r.Healthcheck.Set() {
		h := r.Healthcheck.Value
		fields := fmt.Sprintf("Command: []string{%s}", quoted(h.Command))
		for _, d := range []struct {
			name  string
			value time.Duration
		}{{"Interval", h.Interval}, {"Timeout", h.Timeout}, {"Start", h.Start}} {
			if d.value != 0 {
				fields += fmt.Sprintf(", %s: %s", d.name, duration(d.value))
			}
		}
		if h.Retries != 0 {
			fields += fmt.Sprintf(", Retries: %d", h.Retries)
		}
		s.from(r.Healthcheck.From, "Healthcheck: &build.Healthcheck{%s},", fields)
	}
	s.comments("Runtime.Healthcheck")
	if s.b.Len() == empty {
		text := s.b.String()[:at]
		s.b.Reset()
		s.b.WriteString(text)
		return
	}
	s.line("},")
}

func (s *source) words(name string, v finding.Value[[]string]) {
	if v.Set() {
		s.from(v.From, "%s: []string{%s},", name[strings.LastIndex(name, ".")+1:], quoted(v.Value))
	}
	s.comments(name)
}

// duration returns a time as Go source.
func duration(d time.Duration) string {
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"time.Hour", time.Hour}, {"time.Minute", time.Minute}, {"time.Second", time.Second},
		{"time.Millisecond", time.Millisecond}} {
		switch {
		case d == unit.of:
			return unit.name
		case d%unit.of == 0:
			return fmt.Sprintf("%d * %s", d/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%d", d)
}

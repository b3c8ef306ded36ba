package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
)

// fromStage copies a source of another stage into an image.
func (r *reader) fromStage(c copying, st, from *state, source string, line *finding.Line, res *result) {
	p := path.Clean("/" + source)
	if strings.ContainsAny(source, "*?[") {
		found := false
		for _, e := range from.entries {
			if ok, err := path.Match(p, e.target); err == nil && ok {
				found = true
				r.copyEntry(c, st, from, e, c.into(e.target), line, res)
			}
		}
		if found {
			return
		}
		p = path.Dir(p)
	}
	if e, ok := from.at(r, p); ok {
		r.copyEntry(c, st, from, e, c.into(source), line, res)
		return
	}
	inside := from.under(p)
	if len(inside) > 0 && p != "/" || len(inside) > 0 && from.base == "scratch" { // the content of a folder
		for _, e := range inside {
			rel := strings.TrimPrefix(strings.TrimPrefix(e.target, p), "/")
			r.copyEntry(c, st, from, *e, path.Join(c.target, rel), line, res)
		}
		return
	}
	if known(p) {
		r.copySystem(c, st, from, p, line, res)
		return
	}
	if at := r.programNamed(p); at >= 0 {
		r.copyProgram(c, st, at, c.into(source), line, res)
		return
	}
	if at := r.onlyBuilt(from); at >= 0 && !strings.Contains(path.Base(p), ".") {
		r.copyProgram(c, st, at, c.into(source), line, res)
		return
	}
	r.copyMade(c, st, from, p, c.into(source), line, res)
}

// onlyBuilt returns the main package of a stage that compiles just one program, or that of a
// repository with just one; -1 otherwise.
func (r *reader) onlyBuilt(from *state) int {
	found := -1
	for _, b := range from.builds {
		if b.main >= 0 && found >= 0 && found != b.main {
			return -1
		}
		found = max(found, b.main)
	}
	if found < 0 && from.compiles && len(r.mains) == 1 {
		return 0
	}
	return found
}

func (r *reader) copyProgram(c copying, st *state, at int, target string, line *finding.Line, res *result) {
	e := c.entry(program, target, line)
	e.main = at
	st.put(e)
	res.programs++
	res.binary = strings.ToLower(r.mains[at].Binary)
}

func (r *reader) copyEntry(c copying, st, from *state, e entry, target string,
	line *finding.Line, res *result) {
	switch e.kind {
	case program:
		out := c.entry(program, target, line)
		out.main, out.caps = e.main, e.caps
		st.put(out)
		res.programs++
		res.binary = strings.ToLower(r.mains[e.main].Binary)
	case file:
		if strings.HasSuffix(e.source, "/") {
			r.copyFile(c, st, e.source, target, line, res)
			return
		}
		out := c
		if out.mode == 0 {
			out.mode = e.mode
		}
		r.copyFile(out, st, e.source, target, line, res)
	case folder:
		out := c.entry(folder, target, line)
		if out.uid == 0 && out.gid == 0 {
			out.mode = e.mode
		}
		if !out.isUsual() {
			st.put(out)
			res.assets++
		} else {
			res.systems++
		}
	case system:
		r.copySystem(c, st, from, e.target, line, res)
	case other:
		r.copyMade(c, st, from, e.target, target, line, res)
	}
}

func (e entry) isUsual() bool { return slices.Contains(usual, e.target) }

// known reports whether thimble adds a path by itself, if the binary needs it.
func known(p string) bool {
	for _, prefix := range []string{
		"/etc/ssl", "/etc/pki", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
		"/etc/ca-certificates", "/usr/share/zoneinfo", "/etc/passwd", "/etc/group",
		"/etc/shadow", "/etc/nsswitch.conf", "/etc/mime.types", "/etc/services", "/etc/protocols",
		"/usr/local/go/lib/time", "/usr/lib/go/lib/time", "/etc/localtime",
		"/etc/timezone", "/tmp", "/etc/hosts", "/ca-certificates.crt", "/zoneinfo.zip", "/zoneinfo",
	} {
		if p == prefix || strings.HasPrefix(p, prefix+"/") {
			return true
		}
	}
	return strings.Contains(p, "ca-certificates") || path.Base(p) == "zoneinfo.zip" ||
		path.Base(p) == "ca-bundle.crt" || path.Base(p) == "cert.pem"
}

// copySystem copies a file that thimble adds if the binary needs it.
func (r *reader) copySystem(c copying, st, from *state, p string, line *finding.Line, res *result) {
	res.systems++
	if from != nil && (p == "/etc/passwd" || p == "/etc/group" || p == "/etc") {
		for _, u := range from.accounts.users {
			if uid, _ := st.accounts.uid(u.Name); uid < 0 {
				u.noHome = true
				st.accounts.users = append(st.accounts.users, u)
			}
		}
		for _, g := range from.accounts.groups {
			if st.accounts.gid(g.name) < 0 {
				st.accounts.groups = append(st.accounts.groups, g)
			}
		}
	}
	if p == "/tmp" || strings.HasPrefix(p, "/tmp/") {
		st.include = append(st.include, finding.Found("tmp", c.Place))
	}
	st.put(c.entry(system, c.into(p), line))
}

// copyMade copies what commands of a stage have made.
func (r *reader) copyMade(c copying, st, from *state, p, target string, line *finding.Line, res *result) {
	if source, before, ok := r.prepare(from, p); ok {
		e := c.entry(file, target, line)
		e.source = source
		st.put(e)
		st.before = append(st.before, before...)
		res.assets++
		res.generated = true
		return
	}
	reason := p + " is made by a command of stage " + from.stage.title()
	if len(from.builds) == 0 && !from.compiles && len(from.prepared) == 0 && from.stage.parent == nil {
		reason = p + " is from the image " + from.base
	}
	e := c.entry(other, target, line)
	e.why = reason
	st.put(e)
	res.problem(reason, "if the program needs it, make it with Before, and copy it: {Source: \"…\", Target: "+
		quote(target)+"}")
}

func (s *stage) title() string {
	if s.def.Name != "" {
		return s.def.Name
	}
	return "in line " + itoa(s.from.Line)
}

// fromImage copies a source of another image.
func (r *reader) fromImage(c copying, st *state, source string, line *finding.Line, res *result) {
	p := path.Clean("/" + source)
	if known(p) {
		r.copySystem(c, st, nil, p, line, res)
		return
	}
	if at := r.programNamed(p); at >= 0 && len(r.mains) > 0 && strings.Contains(c.from, r.mains[at].Binary) {
		r.copyProgram(c, st, at, c.into(source), line, res)
		return
	}
	e := c.entry(other, c.into(source), line)
	e.why = "from the image " + c.from
	st.put(e)
	if slices.Contains(wrappers, path.Base(p)) {
		res.systems++
		return
	}
	if slices.Contains([]string{"sh", "busybox", "curl", "wget", "grpc_health_probe", "grpc-health-probe"},
		path.Base(p)) {
		res.problem(p+" is from the image "+c.from+"; the program does not need it to run",
			"for a health check, give the program a command of its own, or let Kubernetes probe it")
		return
	}
	res.problem(p+" is from the image "+c.from,
		"if the program needs it: Base: "+quote(c.from)+", or commit the file and copy it with Assets")
}

// addURL handles ADD of a URL.
func (r *reader) addURL(c copying, st *state, source string, line *finding.Line, res *result) {
	if known(path.Clean("/"+path.Base(source))) || strings.Contains(source, "cacert.pem") ||
		strings.Contains(source, "zoneinfo.zip") {
		res.systems++
		return
	}
	if slices.ContainsFunc(wrappers, func(w string) bool { return strings.Contains(path.Base(source), w) }) {
		e := c.entry(other, c.into(source), line)
		e.why = "from " + source
		st.put(e)
		res.systems++
		return
	}
	res.problem("it downloads "+source, "commit the file, and copy it: {Source: "+quote(path.Base(source))+
		", Target: "+quote(c.into(source))+"}")
}

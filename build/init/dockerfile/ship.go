package dockerfile

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// generic are parts of the names of images that only have what thimble adds by itself.
var generic = []string{
	"alpine", "debian", "ubuntu", "busybox", "distroless", "chainguard", "wolfi", "ubi", "centos", "fedora",
	"rockylinux", "almalinux", "photon", "amazonlinux", "golang",
	"scratch", "bookworm", "bullseye", "trixie", "minimal", "static", "buildpack-deps", "opensuse",
	"baseimage", "cgr.dev",
}

func isGeneric(base string) bool {
	return base == "scratch" || slices.ContainsFunc(generic,
		func(g string) bool { return strings.Contains(strings.ToLower(base), g) })
}

// shippedBase handles the FROM of an image.
func (r *reader) shippedBase(s *stage, st *state) {
	line := r.say(s.from, finding.NotNeeded, "the image has only what the binary needs")
	st.fromLine = line
	switch {
	case s.base == "scratch":
		line.Reason = "scratch is the default"
	case s.base == "" || strings.HasSuffix(s.base, ":") || strings.HasPrefix(s.base, ":") ||
		strings.Contains(s.base, "placeholder"):
		line.Outcome, line.Setting, line.Reason, line.Write = finding.ByHand, "Base",
			"its name has no value without --build-arg", `Base: "…", or nothing for scratch`
	case !isGeneric(s.base):
		line.Outcome, line.Reason = finding.Imported, "Base; mage lock pins it"
	}
	if strings.Contains(s.base, "nonroot") || strings.Contains(s.base, "cgr.dev/chainguard/static") ||
		strings.Contains(s.base, "chainguard/static") {
		st.baseUser = "65532:65532"
	}
}

// ship makes the program of an image.
func (r *reader) ship(s *stage) {
	st := r.states[s]
	run := r.start(st)
	var mains []int
	for _, e := range st.entries {
		if e.kind == program && !slices.Contains(mains, e.main) {
			mains = append(mains, e.main)
		}
	}
	if run.main < 0 && len(mains) > 0 {
		run.main = mains[0]
	}
	if run.main < 0 {
		return
	}
	main := r.mains[run.main]
	if slices.ContainsFunc(r.programs, func(p finding.Program) bool {
		return p.Module == main.Module &&
			p.Package == main.Package
	}) {
		return
	}
	binary := strings.ToLower(main.Binary)
	p := finding.Program{Module: main.Module, Package: main.Package, From: s.from.Place}
	for _, e := range st.entries {
		if e.kind != program {
			continue
		}
		if e.main == run.main {
			p.From = e.from
			r.capabilities(&p, e)
		} else if rel := relative(main, r.mains[e.main]); rel != "" &&
			!slices.ContainsFunc(p.Programs, func(v finding.Value[string]) bool { return v.Value == rel }) {
			p.Programs = append(p.Programs, finding.Found(rel, e.from))
			if e.line != nil && e.line.Outcome == finding.NotNeeded {
				e.line.Outcome, e.line.Reason = finding.Imported, "Programs: "+rel
			}
		}
	}
	r.compiled(&p, run.main, s)
	if p.Build.Compiler.Set() && !r.needsCgo(p.Module) {
		p.Build.Compiler = finding.Value[bool]{}
	}
	if run.main >= 0 && run.why != "" && run.script == "" {
		p.Doubt = run.why
	}
	if st.entrypoint.line == nil && st.cmd.line == nil {
		p.Doubt = "it starts nothing"
	}
	if name, _, _ := strings.Cut(path.Base(st.base), ":"); strings.EqualFold(name, main.Binary) {
		p.Doubt = "its base is an image of the program itself"
	}
	r.sayStart(st, run, binary)
	if run.why == "" && run.script != "" {
		st.dropScript(run.script)
	}
	run2 := &p.Runtime
	if len(run.args) > 0 && run.why == "" || len(run.args) > 0 && run.script != "" {
		from := st.entrypoint.from
		if st.cmd.line != nil && (st.entrypoint.line == nil || len(st.cmd.value.words) > 0) {
			from = st.cmd.from
		}
		run2.Args = finding.Found(run.args, from)
	}
	r.environment(&p, st, run)
	r.user(&p, st, run)
	for _, v := range st.ports {
		run2.Ports = append(run2.Ports, finding.Found(v.value, v.from))
	}
	for _, v := range st.labels {
		run2.Labels = append(run2.Labels, finding.Found(v.value.name+"="+v.value.value, v.from))
	}
	if st.workdirSet.line != nil {
		if st.workdirSet.value == "/" {
			st.workdirSet.line.Outcome, st.workdirSet.line.Reason = finding.NotNeeded, "/ is the default"
		} else {
			run2.WorkingDir = finding.Found(st.workdirSet.value, st.workdirSet.from)
		}
	}
	if st.stop.line != nil {
		run2.StopSignal = finding.Found(st.stop.value, st.stop.from)
	}
	for _, v := range st.volumes {
		if !slices.ContainsFunc(run2.Volumes,
			func(o finding.Value[string]) bool { return o.Value == v.value }) {
			run2.Volumes = append(run2.Volumes, finding.Found(v.value, v.from))
		}
	}
	r.health(&p, st, run.main)
	r.assets(&p, st, binary)
	r.base(&p, st)
	r.owners(s, p)
	r.programs = append(r.programs, p)
}

// dropScript removes a script of which nothing is left to do.
func (st *state) dropScript(source string) {
	st.entries = slices.DeleteFunc(st.entries, func(e entry) bool {
		if e.source != source || e.line == nil {
			return false
		}
		for _, l := range append(slices.Clone(e.changes), e.line) {
			if l.Outcome == finding.Imported {
				l.Outcome, l.Reason = finding.NotNeeded,
					"Runtime.Env and Runtime.Args do what the script does"
			}
		}
		return true
	})
}

// relative returns the folder of another main package relative to the module of main.
func relative(main, other finding.Main) string {
	if main.Module == other.Module {
		return other.Package
	}
	rel, err := filepath.Rel(path.Join("/", main.Module), path.Join("/", other.Folder()))
	if err != nil {
		return ""
	}
	return filepath.ToSlash(rel)
}

func (r *reader) capabilities(p *finding.Program, e entry) {
	for _, c := range e.caps {
		p.Runtime.Capabilities = append(p.Runtime.Capabilities, finding.Found(c, e.from))
	}
}

// compiled adds how the program is compiled.
func (r *reader) compiled(p *finding.Program, main int, s *stage) {
	for _, at := range r.stages {
		st := r.states[at]
		if at.role == unused || st == nil {
			continue
		}
		for _, b := range st.builds {
			if b.main == main {
				p.Build.LDFlags, p.Build.Tags, p.Build.Env, p.Build.FIPS140 = b.build.LDFlags, b.build.Tags,
					b.build.Env, b.build.FIPS140
				p.Build.Cgo, p.Build.Compiler = b.build.Cgo, b.build.Compiler
			}
		}
		if !p.Build.Cgo.Set() && st.compiles {
			p.Build.Cgo = st.cgo
		}
		if !p.Build.Compiler.Set() && st.compiles {
			p.Build.Compiler = st.compiler
		}
		for _, b := range st.before {
			b.Value = atRoot(b.Value, p.Module)
			if !slices.ContainsFunc(p.Build.Before,
				func(o finding.Value[[]string]) bool { return slices.Equal(o.Value, b.Value) }) {
				p.Build.Before = append(p.Build.Before, b)
			}
		}
	}
}

// atRoot returns a command of Before, which runs in the module's folder, so that it runs at the
// root of the repository.
func atRoot(words []string, module string) []string {
	if module == "" || len(words) != 3 || words[0] != "sh" {
		return words
	}
	return []string{"sh", "-c", "cd " + strings.Repeat("../", strings.Count(module, "/")) +
		".. && " + words[2]}
}

func (r *reader) environment(p *finding.Program, st *state, run started) {
	for _, v := range st.env {
		p.Runtime.Env = append(p.Runtime.Env, finding.Found(v.value.name+"="+v.value.value, v.from))
	}
	if run.why != "" {
		return
	}
	from := st.entrypoint.from
	if st.entrypoint.line == nil {
		from = st.cmd.from
	}
	for _, v := range run.vars {
		at := slices.IndexFunc(p.Runtime.Env,
			func(o finding.Value[string]) bool { return strings.HasPrefix(o.Value, v.name+"=") })
		if at >= 0 {
			p.Runtime.Env[at] = finding.Found(v.name+"="+v.value, from)
		} else {
			p.Runtime.Env = append(p.Runtime.Env, finding.Found(v.name+"="+v.value, from))
		}
	}
}

// user adds the users of the image, and the one that runs the program.
func (r *reader) user(p *finding.Program, st *state, run started) {
	named := map[string]bool{}
	for _, u := range st.accounts.users {
		if _, isPresent := present[u.Name]; isPresent || !userName.MatchString(u.Name) ||
			u.UID < 1 || named[u.Name] {
			continue
		}
		if slices.ContainsFunc(p.Runtime.Users,
			func(o finding.Value[plan.User]) bool { return o.Value.UID == u.UID }) {
			continue
		}
		named[u.Name] = true
		user := u.User
		if user.GID == user.UID {
			user.GID = 0
		}
		if user.Home == "/home/"+user.Name {
			user.Home = ""
		}
		if user.Home != "" && (!path.IsAbs(user.Home) || path.Clean(user.Home) != user.Home) {
			user.Home = ""
		}
		p.Runtime.Users = append(p.Runtime.Users, finding.Found(user, u.from))
		if u.line != nil {
			u.line.Outcome, u.line.Reason = finding.Imported, "Users"
		}
	}
	spec, from, line := st.userSet.value, st.userSet.from, st.userSet.line
	if run.user != "" && run.why == "" {
		spec, from, line = run.user, st.entrypoint.from, nil
	}
	if spec == "" {
		switch {
		case st.baseUser != "" || st.fromLine != nil && st.fromLine.Outcome == finding.Imported:
		default: // as docker build has it
			p.Runtime.User = finding.Found("0:0", st.from)
			if st.fromLine != nil {
				st.fromLine.Reason += "; no USER is named: Runtime.User is root"
			}
		}
		return
	}
	value, ok := r.userValue(spec, st, named)
	switch {
	case !ok:
		if line != nil {
			line.Outcome, line.Setting, line.Reason = finding.ByHand, "Runtime.User",
				spec+" is a user of the base"
			line.Write = `Runtime.User by its number: "1000:1000"`
		}
		return
	case value == "65532:65532":
		if line != nil {
			line.Outcome, line.Reason = finding.NotNeeded, "65532:65532 is the default"
		}
		return
	}
	p.Runtime.User = finding.Found(value, from)
}

// userValue returns Runtime.User for a USER instruction.
func (r *reader) userValue(spec string, st *state, declared map[string]bool) (string, bool) {
	user, grp, both := strings.Cut(spec, ":")
	if declared[user] && (!both || grp == user) {
		_, gid := st.accounts.uid(user)
		if !both || st.accounts.gid(grp) == gid {
			return user, true
		}
	}
	uid, gid := st.accounts.uid(user)
	if uid < 0 {
		return "", false
	}
	if both {
		if gid = st.accounts.gid(grp); gid < 0 {
			return "", false
		}
		return itoa(uid) + ":" + itoa(gid), true
	}
	if atoi(user) >= 0 && gid == 0 && uid != 0 {
		return user, true
	}
	return itoa(uid) + ":" + itoa(gid), true
}

// health translates the health check.
func (r *reader) health(p *finding.Program, st *state, main int) {
	h := st.health
	if h.value == nil {
		return
	}
	line := h.line
	run := r.follow(h.value.Command, st)
	tool := ""
	for _, word := range strings.FieldsFunc(strings.Join(h.value.Command, " "),
		func(c rune) bool { return strings.ContainsRune(" \t;|&(){}'\"", c) }) {
		if slices.Contains([]string{"curl", "wget", "nc", "pgrep", "grpc_health_probe", "grpc-health-probe"},
			path.Base(word)) && tool == "" {
			tool = path.Base(word)
		}
	}
	if run.main < 0 || run.why != "" {
		line.Outcome, line.Setting = finding.ByHand, "Runtime.Healthcheck"
		line.Reason = run.why
		if tool != "" {
			line.Reason = "there is no " + tool + " in the image"
		}
		line.Write = "give the program a command for it: Healthcheck: &build.Healthcheck{Command: " +
			"[]string{\"health\"}}; or let Kubernetes probe it" + probe(h.value.Command)
		return
	}
	check := *h.value
	check.Command = run.args
	if run.main != main {
		check.Command = append([]string{"/app/" + strings.ToLower(r.mains[run.main].Binary)}, run.args...)
	} else if len(run.args) == 0 || strings.HasPrefix(run.args[0], "/") {
		check.Command = append([]string{"/app/" + strings.ToLower(r.mains[main].Binary)}, run.args...)
	}
	p.Runtime.Healthcheck = finding.Found(check, h.from)
}

// probe returns the port and path of a health check by HTTP.
func probe(words []string) string {
	for _, word := range strings.FieldsFunc(strings.Join(words, " "),
		func(c rune) bool { return strings.ContainsRune(" \t;|&(){}'\"", c) }) {
		_, rest, ok := strings.Cut(word, "://")
		if !ok && !strings.HasPrefix(word, "localhost") && !strings.HasPrefix(word, "127.0.0.1") {
			continue
		}
		if !ok {
			rest = word
		}
		host, p, _ := strings.Cut(rest, "/")
		_, port, _ := strings.Cut(host, ":")
		return ": path /" + p + ", port " + or(port, "80")
	}
	return ""
}

// base chooses what is below the image.
func (r *reader) base(p *finding.Program, st *state) {
	switch {
	case st.fromLine != nil && st.fromLine.Outcome == finding.Imported:
		p.Runtime.Base = finding.Found(st.base, st.from)
		for _, l := range r.lines { // packages of another distribution
			if slices.ContainsFunc(st.debian,
				func(d finding.Value[string]) bool { return d.From == l.Place }) {
				l.Outcome, l.Setting, l.Reason, l.Write = finding.ByHand, "Base",
					"the base is an image, which has packages of its own",
					"make an image that has them, and use it as Base"
			}
		}
		return
	case len(st.debian) > 0:
		cgo := p.Build.Cgo
		if !cgo.Set() {
			cgo = p.Build.Compiler
		}
		p.Runtime.Base = finding.Found(plan.BaseDebian, st.debian[0].From)
		p.Runtime.Packages = st.debian
		if cgo.Value {
			p.Runtime.Packages = append(p.Runtime.Packages, finding.Found("libc6", cgo.From))
		}
	}
}

// owners says for the lines of an image which program they are about.
func (r *reader) owners(s *stage, p finding.Program) {
	in := map[int]bool{}
	for c := s; c != nil; c = c.parent {
		last := c.from.last
		if len(c.body) > 0 {
			last = c.body[len(c.body)-1].last
		}
		for n := c.from.Line; n <= last; n++ {
			in[n] = true
		}
	}
	for _, l := range r.lines {
		if l.Package == "" && (in[l.Line] || len(r.programs) == 0) {
			l.Module, l.Package = p.Module, p.Package
		}
	}
}

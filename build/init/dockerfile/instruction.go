package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
	"github.com/thimble-build/thimble/build/plan"
)

// evaluate follows the instructions of a stage.
func (r *reader) evaluate(s *stage) {
	var st *state
	if s.parent != nil {
		st = r.states[s.parent].next(s)
	} else {
		st = newState(s)
		st.accounts.alpine = strings.Contains(s.base, "alpine") || strings.Contains(s.base, "busybox")
	}
	r.states[s] = st
	switch {
	case s.role == unused:
		why := "no image uses stage " + s.title()
		r.say(s.from, finding.NotNeeded, why)
		for _, i := range s.body {
			r.say(i, finding.NotNeeded, why)
		}
		return
	case s.parent != nil:
		r.say(s.from, finding.NotNeeded, "it continues stage "+s.parent.title())
	case s.role == ships:
		r.shippedBase(s, st)
	case strings.Contains(s.base, "golang") || strings.Contains(s.base, "/go:"):
		r.say(s.from, finding.NotNeeded, "your go command compiles")
	default:
		r.say(s.from, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	}
	for _, i := range s.body {
		r.instruction(i, st)
	}
}

func (r *reader) instruction(i instruction, st *state) {
	ships := st.stage.role == ships
	switch c := i.cmd.(type) {
	case *instructions.ArgCommand:
		r.arg(i, c, st)
		return
	case *instructions.EnvCommand:
		r.env(i, c, st)
		return
	case *instructions.WorkdirCommand:
		st.workdir = st.abs(r.plain(c.Path, st.vars))
		if ships {
			replaced(st.workdirSet.line, i.Line)
			st.workdirSet = setting[string]{st.workdir, i.Place,
				r.say(i, finding.Imported, "Runtime.WorkingDir")}
		} else {
			r.say(i, finding.NotNeeded, "only for the commands of a build stage")
		}
		return
	case *instructions.UserCommand:
		st.user = r.plain(c.User, st.vars)
		if ships {
			replaced(st.userSet.line, i.Line)
			st.userSet = setting[string]{st.user, i.Place, r.say(i, finding.Imported, "Runtime.User")}
		} else {
			r.say(i, finding.NotNeeded, "only for the commands of a build stage")
		}
		return
	case *instructions.CopyCommand, *instructions.AddCommand:
		if ships {
			r.copyImage(r.copying(i, st), st)
		} else {
			r.copyBuild(r.copying(i, st), st)
		}
		return
	case *instructions.RunCommand:
		r.run(i, c, st)
		return
	case *instructions.ShellCommand:
		st.shell = c.Shell
		r.say(i, finding.NotNeeded, "no command runs in an image")
		return
	}
	if i.err != nil || i.cmd == nil {
		r.invalid(i)
		return
	}
	if !ships {
		r.say(i, finding.NotNeeded, "a setting of a build stage")
		return
	}
	r.runtime(i, st)
}

// runtime handles the instructions that only set how an image is run.
func (r *reader) runtime(i instruction, st *state) {
	switch c := i.cmd.(type) {
	case *instructions.EntrypointCommand:
		replaced(st.entrypoint.line, i.Line)
		st.entrypoint = setting[command]{command{c.CmdLine, c.PrependShell}, i.Place,
			r.say(i, finding.Imported, "Runtime.Args")}
	case *instructions.CmdCommand:
		replaced(st.cmd.line, i.Line)
		st.cmd = setting[command]{command{c.CmdLine, c.PrependShell}, i.Place,
			r.say(i, finding.Imported, "Runtime.Args")}
	case *instructions.ExposeCommand:
		r.expose(i, c, st)
	case *instructions.LabelCommand:
		r.label(i, c, st)
	case *instructions.MaintainerCommand:
		line := r.say(i, finding.Imported, "Runtime.Labels")
		st.labels = setNamed(st.labels, setting[named]{named{"org.opencontainers.image.authors",
			r.plain(c.Maintainer, st.vars)}, i.Place, line})
	case *instructions.StopSignalCommand:
		signal := r.plain(c.Signal, st.vars)
		replaced(st.stop.line, i.Line)
		st.stop = setting[string]{signal, i.Place, r.say(i, finding.Imported, "Runtime.StopSignal")}
	case *instructions.VolumeCommand:
		line := r.say(i, finding.Imported, "Runtime.Volumes")
		for _, v := range c.Volumes {
			if v = r.plain(v, st.vars); v != "" {
				st.volumes = append(st.volumes, setting[string]{path.Clean("/" + v), i.Place, line})
			}
		}
	case *instructions.HealthCheckCommand:
		r.healthcheck(i, c, st)
	case *instructions.OnbuildCommand:
		r.say(i, finding.NotNeeded, "it changes only images that are built from this one")
	default:
		r.invalid(i)
	}
}

func (r *reader) arg(i instruction, c *instructions.ArgCommand, st *state) {
	var reasons []string
	for _, a := range c.Args {
		_, isPlatform := platform[a.Key]
		switch {
		case a.Value != nil:
			st.vars[a.Key] = r.plain(*a.Value, st.vars)
		default:
			if value, ok := r.meta[a.Key]; ok {
				st.vars[a.Key] = value
			}
		}
		r.give(a.Key, st.vars)
		reason := "a build argument without a default has no value"
		if _, stamped := stamp.Name(a.Key); stamped && stamp.Placeholder(st.vars[a.Key]) {
			reason = "thimble takes it from git"
		} else if isPlatform {
			reason = "thimble builds for each platform"
		} else if _, ok := st.vars[a.Key]; ok {
			reason = "a build argument; its default is used where it is named"
		}
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	r.say(i, finding.NotNeeded, strings.Join(reasons, "; "))
}

// goSettings are variables of the go command, which change no image.
var goSettings = []string{
	"GO111MODULE", "GOPATH", "GOROOT", "GOOS", "GOARCH", "GOARM", "GOAMD64", "GOPROXY", "GOSUMDB",
	"GONOSUMDB", "GONOSUMCHECK", "GONOPROXY", "GOPRIVATE", "GOFLAGS", "GOBIN",
	"GOCACHE", "GOMODCACHE", "GOTOOLCHAIN", "GOWORK", "GOVCS", "GOINSECURE", "GOTMPDIR", "CC", "CXX",
	"CGO_CFLAGS", "CGO_LDFLAGS", "GO_VERSION", "GOLANG_VERSION",
}

func (r *reader) env(i instruction, c *instructions.EnvCommand, st *state) {
	line := r.say(i, finding.NotNeeded, "")
	before := map[string]string{} // values before this instruction are those that it sees
	for name, value := range st.vars {
		before[name] = value
	}
	var reasons []string
	reason := func(text string) {
		if !slices.Contains(reasons, text) {
			reasons = append(reasons, text)
		}
	}
	for _, kv := range c.Env {
		name := r.plain(kv.Key, before)
		value, missing := r.expand(kv.Value, before)
		st.vars[name] = value
		switch {
		case name == "CGO_ENABLED":
			st.cgo = finding.Found(value != "0", i.Place)
			reason("Cgo says it")
		case name == "GOEXPERIMENT" || name == "GOFIPS140":
			line.Outcome, line.Setting, line.Write = finding.ByHand, "FIPS140",
				"set "+name+"="+value+" for the go command, or FIPS140 of the image"
			reason("it changes what is compiled")
		case slices.Contains(goSettings, name):
			reason("a setting of the go command")
		case st.stage.role != ships:
			reason("only for the commands of a build stage")
		case name == "PATH":
			reason("the image starts its program by its path")
		case strings.HasPrefix(name, "DEBIAN_FRONTEND"):
			reason("only for apt-get")
		default:
			if name == "TZ" && value != "" && value != "UTC" && value != "Etc/UTC" {
				st.include = append(st.include, finding.Found("zoneinfo", i.Place))
			}
			line.Outcome = finding.Imported
			if len(missing) > 0 {
				reason("Runtime.Env, empty without --build-arg")
			} else {
				reason("Runtime.Env")
			}
			st.env = setNamed(st.env, setting[named]{named{name, value}, i.Place, line})
		}
	}
	line.Reason = strings.Join(reasons, "; ")
}

func (r *reader) expose(i instruction, c *instructions.ExposeCommand, st *state) {
	line := r.say(i, finding.Imported, "Runtime.Ports")
	added := false
	for _, p := range c.Ports {
		text, missing := r.expand(p, st.vars)
		for _, port := range strings.Fields(text) {
			number, proto, _ := strings.Cut(strings.ToLower(port), "/")
			from, to, isRange := strings.Cut(number, "-")
			if !isRange {
				to = from
			}
			first, last := atoi(from), atoi(to)
			if first < 1 || last < first || last > 65535 || last-first > 1000 {
				line.Outcome, line.Setting, line.Reason, line.Write = finding.ByHand, "Runtime.Ports",
					"port "+port+" is not a number", `Ports: []string{"8080"}`
				continue
			}
			for n := first; n <= last; n++ {
				value := itoa(n)
				if proto != "" && proto != "tcp" {
					value += "/" + proto
				}
				if !slices.ContainsFunc(st.ports, func(o setting[string]) bool { return o.value == value }) {
					st.ports = append(st.ports, setting[string]{value, i.Place, line})
					added = true
				}
			}
		}
		if text == "" && len(missing) > 0 {
			line.Outcome, line.Setting, line.Reason, line.Write = finding.ByHand, "Runtime.Ports",
				"$"+missing[0]+" has no value without --build-arg", `Ports: []string{"8080"}`
		}
	}
	if !added && line.Outcome == finding.Imported {
		line.Outcome, line.Reason = finding.NotNeeded, "another line has these ports"
	}
}

// own are the labels that thimble sets.
var own = []string{"created", "revision", "version", "source", "title", "licenses"}

func (r *reader) label(i instruction, c *instructions.LabelCommand, st *state) {
	line := r.say(i, finding.NotNeeded, "")
	var reasons []string
	for _, kv := range c.Labels {
		name := r.plain(kv.Key, st.vars)
		value, missing := r.expand(kv.Value, st.vars)
		last := name[strings.LastIndexAny(name, "./")+1:]
		reason := "Runtime.Labels"
		_, stamped := stamp.Name(last)
		switch {
		case strings.HasPrefix(name, "org.opencontainers.image.") && slices.Contains(own, last) &&
			(len(missing) > 0 || value == ""):
			reason = "thimble sets it"
		case stamped && len(missing) > 0:
			reason = "thimble sets org.opencontainers.image labels from git"
		case value == "" && len(missing) > 0:
			reason = "it has no value without --build-arg"
		default:
			line.Outcome = finding.Imported
			st.labels = setNamed(st.labels, setting[named]{named{name, value}, i.Place, line})
		}
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	line.Reason = strings.Join(reasons, "; ")
}

func (r *reader) healthcheck(i instruction, c *instructions.HealthCheckCommand, st *state) {
	replaced(st.health.line, i.Line)
	if c.Health == nil || len(c.Health.Test) == 0 || c.Health.Test[0] == "NONE" {
		st.health = setting[*plan.Healthcheck]{}
		r.say(i, finding.NotNeeded, "an image has no health check unless Config has one")
		return
	}
	h := &plan.Healthcheck{
		Command: c.Health.Test[1:], Interval: c.Health.Interval, Timeout: c.Health.Timeout,
		Start: c.Health.StartPeriod, Retries: c.Health.Retries,
	}
	if c.Health.Test[0] == "CMD-SHELL" {
		h.Command = append([]string{"/bin/sh", "-c"}, h.Command...)
	}
	st.health = setting[*plan.Healthcheck]{h, i.Place, r.say(i, finding.Imported, "Runtime.Healthcheck")}
}

// copyBuild handles COPY and ADD in a build stage: it only follows what is where.
func (r *reader) copyBuild(c copying, st *state) {
	line := r.say(c.instruction, finding.NotNeeded, "the go command reads the source tree where it is")
	for _, source := range c.sources {
		if c.add && strings.Contains(source, "://") {
			line.Reason = "nothing of a build stage is in the image unless it is copied"
			continue
		}
		if c.from == "" {
			matched := r.context.match(source)
			if at := r.programNamed(source); at >= 0 && len(matched) == 0 {
				e := c.entry(program, c.into(source), nil)
				e.main = at
				st.put(e)
				line.Reason = "thimble compiles it"
			}
			for _, name := range matched {
				e := c.entry(file, c.into(strings.TrimPrefix(name, r.context.folder+"/")), nil)
				e.source = name
				if strings.HasSuffix(name, "/") && !c.parents {
					e.target = path.Clean(c.target)
					e.skip = func(n string) bool { return !r.context.has(n) }
				}
				st.put(e)
			}
			continue
		}
		from := r.stageNamed(c.from, slices.Index(r.stages, st.stage))
		if from == nil {
			line.Reason = "nothing of a build stage is in the image unless it is copied"
			continue
		}
		r.copyBetween(c, st, r.states[from], source, line)
	}
}

// copyBetween copies from a stage to a build stage.
func (r *reader) copyBetween(c copying, st, from *state, source string, line *finding.Line) {
	p := path.Clean("/" + source)
	for _, e := range from.under(p) {
		out := *e
		rel := strings.TrimPrefix(e.target, p)
		out.target = path.Join(c.target, rel)
		if rel == "" && e.kind != file {
			out.target = path.Clean(c.into(source))
		}
		st.put(out)
	}
	st.accounts.users = append(st.accounts.users, from.accounts.users...)
	if e, ok := from.at(r, p); ok {
		e.target = path.Clean(c.into(source))
		if strings.HasSuffix(e.source, "/") {
			e.target = path.Clean(c.target)
		}
		st.put(e)
		return
	}
	if known(p) || from.compiles || len(from.prepared) == 0 {
		return
	}
	// What a command made: the compiler needs it in the source tree.
	target, ok := st.at(r, path.Dir(path.Clean(c.target)))
	made, before, made2 := r.prepare(from, p)
	if !made2 {
		if len(from.prepared) > 0 {
			line.Outcome, line.Setting, line.Reason = finding.ByHand, "Before",
				p+" is made by commands of stage "+from.stage.title()
			line.Write = `if the compiler needs it: Before: [][]string{{"sh", "-c", "…"}}`
		}
		return
	}
	line.Outcome, line.Reason = finding.Imported, "Before, which makes it"
	if ok && strings.HasSuffix(target.source, "/") {
		to := path.Join(target.source, path.Base(path.Clean(c.target)))
		if at, inTree := r.treePath(st, path.Clean(c.target)); inTree {
			to = at
		}
		if from := path.Clean(made); to != from {
			before = append(before, finding.Found([]string{"sh", "-c",
				"mkdir -p " + typed(to) + " && cp -R " + typed(from) + "/. " + typed(to)}, c.Place))
		}
	}
	st.before = append(st.before, before...)
}

// treePath returns the path in the repository for a path of a stage into which a folder of the
// repository was copied.
func (r *reader) treePath(st *state, p string) (string, bool) {
	for _, e := range slices.Backward(st.entries) {
		if e.kind != file || !strings.HasSuffix(e.source, "/") {
			continue
		}
		if p == e.target {
			return path.Clean(e.source), true
		}
		if rel, below := strings.CutPrefix(p, strings.TrimSuffix(e.target, "/")+"/"); below {
			return path.Join(e.source, rel), true
		}
	}
	return "", false
}

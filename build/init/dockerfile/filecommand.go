package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
)

// accountCommand handles commands that add users and groups.
func (r *reader) accountCommand(c running, st *state) bool {
	if c.To == "/etc/passwd" || c.To == "/etc/group" {
		line := r.sayRun(c, finding.NotNeeded, "no setting names the user")
		for text := range strings.SplitSeq(strings.ReplaceAll(strings.Join(c.args, " "), `\n`, "\n"), "\n") {
			if c.To == "/etc/group" {
				if f := strings.Split(strings.TrimSpace(text), ":"); len(f) > 2 && atoi(f[2]) >= 0 {
					st.accounts.groups = append(st.accounts.groups, group{f[0], atoi(f[2])})
				}
			} else if at := st.accounts.passwd(text, c.Place); at >= 0 {
				st.accounts.users[at].line = line
			}
		}
		return true
	}
	switch c.name {
	case "adduser", "useradd":
		line := r.sayRun(c, finding.NotNeeded, "no setting names the user")
		if at := st.accounts.addUser(c.withName(), c.Place); at >= 0 {
			st.accounts.users[at].line = line
		}
	case "addgroup", "groupadd":
		st.accounts.addGroup(c.withName())
		r.sayRun(c, finding.NotNeeded, "users and owners have the group by its number")
	case "usermod", "groupmod", "passwd", "chpasswd", "chage", "deluser", "userdel", "delgroup", "groupdel":
		r.sayRun(c, finding.NotNeeded, "an image has only the users of Users")
	default:
		return false
	}
	return true
}

func (c running) withName() []string { return append([]string{c.name}, c.args...) }

// fileCommand handles commands that make, change or remove files.
func (r *reader) fileCommand(c running, st *state) bool {
	own := st.stage.role == ships
	switch c.name {
	case "mkdir":
		opts, names := options(c.args, "m", map[string]byte{"parents": 'p', "mode": 'm', "verbose": 'v'})
		r.makeFolders(c, st, names, opts['m'], "")
	case "install":
		opts, names := options(c.args, "mogt",
			map[string]byte{"directory": 'd', "mode": 'm', "owner": 'o', "group": 'g'})
		if _, folders := opts['d']; !folders {
			return r.moved(c, st, names, true)
		}
		r.makeFolders(c, st, names, opts['m'], opts['o']+groupOf(opts['g']))
	case "chown", "chgrp":
		r.chown(c, st)
	case "chmod":
		r.chmod(c, st)
	case "setcap":
		r.setcap(c, st)
	case "cp", "mv":
		_, names := options(c.args, "tS", map[string]byte{"recursive": 'r', "archive": 'a', "verbose": 'v'})
		return r.moved(c, st, names, c.name == "cp")
	case "ln":
		return r.linked(c, st)
	case "rm", "rmdir", "unlink", "truncate":
		r.removed(c, st)
	case "touch":
		if !own {
			r.sayRun(c, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
			break
		}
		line := r.sayRun(c, finding.ByHand, "an empty file")
		line.Setting, line.Write = "Assets",
			"if the program needs it: commit an empty file, and copy it with Assets"
	case "echo", "printf", "cat", "tee":
		if c.To == "" || !own {
			return false
		}
		if known(c.To) {
			r.sayRun(c, finding.NotNeeded,
				"Go's resolver does not need it; thimble adds what the binary needs")
			break
		}
		line := r.sayRun(c, finding.ByHand, "it writes "+c.To)
		line.Setting, line.Write = "Assets",
			"if the program reads it: commit the file, and copy it: {Source: \"…\", Target: "+
				quote(st.abs(c.To))+"}"
	default:
		return false
	}
	return true
}

func groupOf(g string) string {
	if g == "" {
		return ""
	}
	return ":" + g
}

// makeFolders adds folders without content.
func (r *reader) makeFolders(c running, st *state, names []string, mode, owner string) {
	line := r.sayRun(c, finding.NotNeeded, "the folders are there, or nothing uses them")
	if st.stage.role != ships {
		line.Reason = "nothing of a build stage is in the image unless it is copied"
	}
	uid, gid, ok := st.accounts.owner(or(owner, st.user))
	if !ok {
		uid, gid = 0, 0
	}
	for _, name := range names {
		e := entry{kind: folder, target: r.inDir(c, name), uid: uid, gid: gid, from: c.Place, line: line}
		if m, ok := octal(mode); ok && mode != "" {
			e.mode = m
		}
		if e.isUsual() {
			continue
		}
		st.put(e)
	}
}

func (r *reader) inDir(c running, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", c.Dir, name)
}

// chown sets the owner of entries.
func (r *reader) chown(c running, st *state) {
	line := r.sayRun(c, finding.NotNeeded, "nothing in the image is there, or it has this owner")
	opts, rest := options(c.args, "", map[string]byte{"recursive": 'R', "verbose": 'v'})
	if len(rest) < 2 {
		return
	}
	spec := rest[0]
	if c.name == "chgrp" {
		spec = ":" + spec
	}
	uid, gid, ok := st.accounts.owner(spec)
	if !ok {
		line.Outcome, line.Setting = finding.ByHand, "Assets"
		line.Reason, line.Write = spec+" is not a number and not a user of the Dockerfile",
			"set UID and GID of the assets"
		return
	}
	if !strings.ContainsAny(spec, ":.") && c.name == "chown" && len(rest) > 0 {
		gid = 0 // of a folder that is added below
	}
	keeps := c.name == "chown" && !strings.ContainsAny(spec, ":.") // the group
	_, recursive := opts['R']
	for _, name := range rest[1:] {
		p := r.inDir(c, name)
		if st.stage.role == ships && uid+gid > 0 {
			r.parents(c, st, p, recursive, line)
		}
		for _, e := range st.under(p) {
			if !recursive && e.target != p || e.kind == program || e.kind == system {
				continue
			}
			if e.uid == uid && (e.gid == gid || keeps) {
				continue
			}
			if c.name == "chown" {
				e.uid = uid
			}
			if !keeps {
				e.gid = gid
			}
			if e.line != nil && st.stage.role == ships {
				line.Outcome, line.Reason = finding.Imported, "UID and GID of Assets"
				e.changes = append(slices.Clone(e.changes), line)
			}
		}
		if _, ok := st.at(r, p); !ok && !slices.Contains(usual, p) && len(st.under(p)) == 0 &&
			(p != st.workdir || uid != 0) { // WORKDIR has made it
			st.put(entry{kind: folder, target: p, uid: uid, gid: gid, from: c.Place, line: line})
		} else if p == st.workdir && !slices.Contains(usual, p) &&
			!slices.ContainsFunc(st.entries, func(e entry) bool { return e.target == p }) {
			st.put(entry{kind: folder, target: p, uid: uid, gid: gid, from: c.Place, line: line})
		}
	}
}

// parents adds the folders that a COPY has made for a file: p, and with recursive those below it.
func (r *reader) parents(c running, st *state, p string, recursive bool, line *finding.Line) {
	var folders []string
	for _, e := range st.under(p) {
		for dir := path.Dir(e.target); e.kind == file && len(dir) >= len(p) &&
			dir != "/"; dir = path.Dir(dir) {
			if !slices.Contains(usual, dir) && (dir == p || recursive && strings.HasPrefix(dir, p+"/")) {
				folders = append(folders, dir)
			}
		}
	}
	for _, dir := range folders {
		if _, ok := st.at(r, dir); !ok {
			st.put(entry{kind: folder, target: dir, from: c.Place, line: line})
		}
	}
}

// chmod sets the mode of entries.
func (r *reader) chmod(c running, st *state) {
	line := r.sayRun(c, finding.NotNeeded, "the modes are those of git, and the program is executable")
	opts, rest := options(c.args, "", map[string]byte{"recursive": 'R', "verbose": 'v'})
	if len(c.args) > 0 && len(rest) > 0 && strings.HasPrefix(c.args[0], "-") &&
		!strings.Contains(c.args[0], "R") && len(c.args[0]) > 1 &&
		strings.ContainsAny(c.args[0][1:2], "rwx") {
		rest = append([]string{c.args[0]}, rest...) // chmod -w file
	}
	if len(rest) < 2 {
		return
	}
	_, recursive := opts['R']
	for _, name := range rest[1:] {
		p := r.inDir(c, name)
		targets := st.under(p)
		if e, ok := st.at(r, p); ok && len(targets) == 0 && e.kind == file &&
			!strings.HasSuffix(e.source, "/") {
			e.from, e.line = c.Place, line
			st.put(e)
			targets = st.under(p)
		}
		for _, e := range targets {
			if !recursive && e.target != p || e.kind == program || e.kind == system {
				continue
			}
			was := e.mode
			if was == 0 {
				was = 0o644
				if e.kind == folder || strings.HasSuffix(e.source, "/") {
					was = 0o755
				}
			}
			mode, ok := octal(rest[0])
			if !ok {
				mode, ok = symbolic(rest[0], was)
			}
			if !ok {
				line.Outcome, line.Setting, line.Reason, line.Write = finding.ByHand, "Assets",
					"init does not know the mode "+rest[0], "set Mode of the assets"
				continue
			}
			if mode != was && e.line != nil && st.stage.role == ships {
				e.mode = mode
				line.Outcome, line.Reason = finding.Imported, "Mode of Assets"
				e.changes = append(slices.Clone(e.changes), line)
			}
		}
	}
}

// symbolic applies a symbolic mode, such as u+x,go-w.
func symbolic(spec string, mode uint32) (uint32, bool) {
	for part := range strings.SplitSeq(spec, ",") {
		at := strings.IndexAny(part, "+-=")
		if at < 0 {
			return 0, false
		}
		who, op, perm := part[:at], part[at], part[at+1:]
		if who == "" || strings.Contains(who, "a") {
			who = "ugo"
		}
		var bits uint32
		for _, p := range perm {
			switch p {
			case 'r':
				bits |= 4
			case 'w':
				bits |= 2
			case 'x':
				bits |= 1
			case 'X':
				if mode&0o111 != 0 {
					bits |= 1
				}
			default:
				return 0, false
			}
		}
		for _, w := range who {
			shift, ok := map[rune]uint32{'u': 6, 'g': 3, 'o': 0}[w]
			if !ok {
				return 0, false
			}
			switch op {
			case '+':
				mode |= bits << shift
			case '-':
				mode &^= bits << shift
			default:
				mode = mode&^(7<<shift) | bits<<shift
			}
		}
	}
	return mode, true
}

// setcap gives a program capabilities.
func (r *reader) setcap(c running, st *state) {
	line := r.sayRun(c, finding.ByHand, "init does not know the file")
	line.Setting, line.Write = "Capabilities", `Capabilities: []string{"cap_net_bind_service"}`
	_, rest := options(c.args, "n", nil)
	if len(rest) < 2 {
		return
	}
	caps := strings.FieldsFunc(strings.ToLower(strings.NewReplacer("+eip", "", "+ep", "", "=eip", "", "=ep",
		"", "=+ep", "", "+pe", "", "=+eip", "", "+ei", "").Replace(strings.Trim(rest[0], `'"`))),
		func(r rune) bool { return r == ',' || r == ' ' || r == '=' })
	at, ok := r.lookUp(rest[1], st)
	if !ok || slices.ContainsFunc(caps, func(c string) bool { return !strings.HasPrefix(c, "cap_") }) {
		return
	}
	for i := range st.entries {
		if e := &st.entries[i]; e.kind == program && e.main == at {
			e.caps = caps
			e.line = or2(e.line, line)
		}
	}
	line.Outcome, line.Reason, line.Setting, line.Write = finding.Imported, "Capabilities", "", ""
	if st.stage.role != ships {
		line.Reason = "Capabilities, if an image copies the program"
	}
}

func or2(a, b *finding.Line) *finding.Line {
	if a != nil {
		return a
	}
	return b
}

// moved handles cp, mv and install of a file.
func (r *reader) moved(c running, st *state, names []string, keep bool) bool {
	if len(names) < 2 {
		return false
	}
	target := names[len(names)-1]
	isFolder := strings.HasSuffix(target, "/") || len(names) > 2 || st.isFolder(r.inDir(c, target))
	done := false
	for _, name := range names[:len(names)-1] {
		e, ok := st.at(r, r.inDir(c, name))
		if !ok {
			continue
		}
		if !keep {
			st.entries = slices.DeleteFunc(st.entries,
				func(o entry) bool { return o.target == e.target && o.kind == e.kind && e.kind == program })
		}
		e.target = r.inDir(c, target)
		if isFolder && !strings.HasSuffix(e.source, "/") {
			e.target = path.Join(e.target, path.Base(name))
		}
		st.put(e)
		done = true
	}
	switch {
	case done && st.stage.role == ships:
		r.sayRun(c, finding.NotNeeded, "what is copied has its last path")
	case st.stage.role == ships && slices.ContainsFunc(names[:len(names)-1],
		func(n string) bool { return known(path.Clean("/" + n)) }):
		r.sayRun(c, finding.NotNeeded, "thimble adds it if the binary needs it; TZ names the time zone")
	case st.stage.role != ships:
		r.sayRun(c, finding.NotNeeded, "nothing of a build stage is in the image unless it is copied")
	default:
		return false
	}
	return true
}

// Line returns the line of the command in the Dockerfile.
func (c running) Line() int { return c.Place.Line }

// typed returns a path for a shell command.
func typed(p string) string {
	if strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@+") == "" &&
		p != "" {
		return p
	}
	return "'" + strings.ReplaceAll(p, "'", `'\''`) + "'"
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"golang.org/x/mod/modfile"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/plaintext"
)

// planned is what is to be written.
type planned struct {
	repo *repository
	kit  *kit
	// alias is the name before the targets' own, such as in thimble:image.
	alias string
	files []file
	// notes are for the user, missing what keeps the targets from working.
	notes, missing []string
}

// file is one that init would like to see.
type file struct {
	// path is relative to the repository's root, with slashes.
	path string
	text []byte
	// was is what is there, nil if nothing is.
	was []byte
	// add says that text is was with a line more.
	add bool
}

// create says whether the file is new.
func (f file) create() bool { return f.was == nil }

// differs says that there is something else, which stays. Line ends are git's business:
// on Windows it makes others of them.
func (f file) differs() bool {
	unix := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }
	return f.was != nil && !f.add && !bytes.Equal(unix(f.was), unix(f.text))
}

// writes says whether the file is written.
func (f file) writes() bool { return f.create() || f.add && !bytes.Equal(f.was, f.text) }

// plan works out every file.
func plan(ctx context.Context, o options, r *repository, k *kit) (*planned, error) {
	p := &planned{repo: r, kit: k}
	if err := p.planMagefiles(ctx, o); err != nil {
		return nil, err
	}
	if err := p.planIgnore(); err != nil {
		return nil, err
	}
	if o.task {
		text, err := renderTaskfile(k, p.alias)
		if err != nil {
			return nil, err
		}
		if err := p.want("Taskfile.yml", text); err != nil {
			return nil, err
		}
	}
	if o.ci != "" {
		if err := p.planCI(o.ci); err != nil {
			return nil, err
		}
	}
	return p, p.checkClean()
}

// want adds a file, and reads what is there.
func (p *planned) want(name string, text []byte) error {
	was, err := os.ReadFile(filepath.Join(p.repo.root, filepath.FromSlash(name)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && was == nil {
		was = []byte{}
	}
	if at := filepath.Join(p.repo.root, filepath.FromSlash(name)); err != nil && exists(at) {
		return fmt.Errorf("read %s: it is a symlink to nothing; remove it, or repair what it points to", at)
	}
	p.files = append(p.files, file{path: name, text: text, was: was})
	return nil
}

func (p *planned) planMagefiles(ctx context.Context, o options) error {
	dir := filepath.Join(p.repo.root, "magefiles")
	there, err := readMagefiles(dir)
	if err != nil {
		return err
	}
	p.alias = there.alias
	own := map[string][]byte{}
	if there.imports {
		if o.ci != "" && !bytes.Contains(there.text, []byte("Keyless")) {
			p.notes = append(p.notes, "to sign releases in CI, put this into targets.Config:\n\n"+indent(keyless))
		}
	} else {
		name := "magefile.go"
		if there.taken {
			name = "thimble.go"
		}
		for _, t := range p.kit.targets {
			if slices.Contains(there.targets, t.name) {
				p.alias = "thimble" // mage refuses two targets of one name
			}
		}
		if own[name], err = renderMagefile(o, p.repo, p.alias); err != nil {
			return err
		}
	}
	if err := p.planModule(ctx, own); err != nil {
		return err
	}
	for name, text := range own {
		if err := p.want("magefiles/"+name, text); err != nil {
			return err
		}
	}
	for _, name := range []string{"magefile.go", "mage.go"} {
		if text, err := os.ReadFile(filepath.Join(p.repo.root, name)); err == nil && bytes.Contains(text, []byte("//go:build mage")) {
			p.notes = append(p.notes, name+" at the root stays for mage itself; the launcher reads magefiles/ alone, so move its targets there when you can")
		}
	}
	return p.want("magefiles/mage.go", launcher)
}

// planModule leaves a go.mod alone that has what the targets need.
func (p *planned) planModule(ctx context.Context, own map[string][]byte) error {
	text, err := os.ReadFile(filepath.Join(p.repo.root, "magefiles", "go.mod"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		f, err := modfile.Parse("magefiles/go.mod", text, nil)
		if err != nil {
			return err
		}
		version, tool := "", false
		for _, r := range f.Require {
			if r.Mod.Path == kitPath {
				version = r.Mod.Version
			}
		}
		for _, t := range f.Tool {
			tool = tool || t.Path == magePath
		}
		if version != "" && tool {
			if version != p.kit.version {
				p.notes = append(p.notes, fmt.Sprintf("magefiles/go.mod has thimble %s, this is %s; to change it:\n\n%s", version, p.kit.version, p.goGet()))
			}
			sum, err := os.ReadFile(filepath.Join(p.repo.root, "magefiles", "go.sum"))
			if err == nil {
				p.files = append(p.files, file{path: "magefiles/go.mod", text: text, was: text}, file{path: "magefiles/go.sum", text: sum, was: sum})
				return nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	m, err := makeModule(ctx, p.repo, p.kit, own)
	if err != nil {
		return err
	}
	if err := p.want("magefiles/go.mod", m.gomod); err != nil {
		return err
	}
	if err := p.want("magefiles/go.sum", m.gosum); err != nil {
		return err
	}
	if f := p.files[len(p.files)-2]; f.differs() {
		p.missing = append(p.missing, "magefiles/go.mod lacks what the targets need; the go command adds it:\n\n"+p.goGet())
	}
	return nil
}

// goGet are the commands that change an existing module of magefiles/.
func (p *planned) goGet() string {
	at := p.here("magefiles")
	return fmt.Sprintf("    GOWORK=off go -C %s get -tool %s@%s\n    GOWORK=off go -C %s get %s@%s\n", at, magePath, p.kit.mage, at, targetsPath, p.kit.version)
}

// planIgnore adds dist/ to .gitignore, unless a line has it.
func (p *planned) planIgnore() error {
	if err := p.want(".gitignore", nil); err != nil {
		return err
	}
	f := &p.files[len(p.files)-1]
	f.add, f.text = true, f.was
	end := "\n"
	if bytes.Contains(f.was, []byte("\r\n")) {
		end = "\r\n"
	}
	for line := range bytes.Lines(f.was) {
		if slices.Contains([]string{"dist", "dist/", "/dist", "/dist/"}, string(bytes.TrimSpace(line))) {
			return nil
		}
	}
	f.text = slices.Clone(f.was)
	if len(f.text) > 0 && !bytes.HasSuffix(f.text, []byte("\n")) {
		f.text = append(f.text, end...)
	}
	f.text = append(f.text, "/dist/"+end...)
	return nil
}

// checkClean refuses to write into magefiles/ when git has it otherwise, so that what
// init did can be told from what somebody else did.
func (p *planned) checkClean() error {
	ours := map[string]bool{}
	writes := false
	for _, f := range p.files {
		if strings.HasPrefix(f.path, "magefiles/") {
			ours[f.path] = f.was != nil && !f.differs()
			writes = writes || f.writes()
		}
	}
	if !writes {
		return nil
	}
	for _, name := range p.repo.changed {
		if strings.HasPrefix(name, "magefiles/") && !ours[name] {
			return fmt.Errorf("%s is not as it was committed; commit or stash what is in magefiles/, then run init again", name)
		}
	}
	return nil
}

// show says what is about to happen; in a dry run with the content.
func (p *planned) show(w io.Writer, dry bool) error {
	var b bytes.Buffer
	plaintext.Fprintf(&b, "thimble %s for %s in %s\n\n", p.kit.version, p.repo.module, p.repo.root)
	for _, f := range p.files {
		switch {
		case f.create():
			plaintext.Fprintf(&b, "  create  %s\n", f.path)
		case f.writes():
			plaintext.Fprintf(&b, "  append  %s\n", f.path)
		case f.differs():
			plaintext.Fprintf(&b, "  keep    %s, which differs from what init would write\n", f.path)
		default:
			plaintext.Fprintf(&b, "  keep    %s\n", f.path)
		}
	}
	for _, f := range p.files {
		if f.differs() || dry && f.writes() && f.path != "magefiles/go.sum" {
			was := f.path
			if f.create() {
				was = os.DevNull
			}
			b.WriteString("\n")
			for line := range strings.Lines(string(diff.Diff(was, f.was, f.path, f.text))) {
				cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
				for i, cell := range cells {
					cells[i] = plaintext.Line(cell)
				}
				b.WriteString(strings.Join(cells, "\t") + "\n")
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// write writes the files. A new folder magefiles appears with all that is in it.
func (p *planned) write() error {
	root := p.repo.root
	magefiles := filepath.Join(root, "magefiles")
	if !exists(magefiles) {
		temp, err := os.MkdirTemp(root, atomicfile.TempPrefix)
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		if err := p.writeTo(temp, "magefiles/"); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(temp, "magefiles"), magefiles); err != nil {
			return fmt.Errorf("write magefiles: %w", err)
		}
		for i := range p.files {
			if strings.HasPrefix(p.files[i].path, "magefiles/") {
				p.files[i].was = p.files[i].text
			}
		}
	}
	return p.writeTo(root, "")
}

func (p *planned) writeTo(root, prefix string) error {
	for _, f := range p.files {
		if !f.writes() || !strings.HasPrefix(f.path, prefix) {
			continue
		}
		at := filepath.Join(root, filepath.FromSlash(f.path))
		if f.add && !f.create() { // the file that was read, where this is a symlink to it
			var err error
			if at, err = filepath.EvalSymlinks(at); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			return err
		}
		if err := atomicfile.Write(at, f.text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// end says what to do now.
func (p *planned) end(w io.Writer, dry bool) error {
	var b bytes.Buffer
	for _, note := range p.notes {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	if len(p.missing) > 0 {
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
		return advice(strings.Join(p.missing, "\n"))
	}
	if dry {
		fmt.Fprintf(&b, "\nNothing was written: this was a dry run.\n")
	} else {
		fmt.Fprintf(&b, "\nNow make the first image:\n\n    go run %s %s\n", p.here("magefiles/mage.go"), p.target("image"))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// here is a path as it is typed in the working folder.
func (p *planned) here(name string) string { return plaintext.Line(p.relative(name)) }

func (p *planned) relative(name string) string {
	at := filepath.Join(p.repo.root, filepath.FromSlash(name))
	wd, err := os.Getwd()
	if err == nil {
		wd, err = filepath.EvalSymlinks(wd)
	}
	rel, relErr := filepath.Rel(wd, at)
	if err != nil || relErr != nil {
		return at
	}
	rel = filepath.ToSlash(rel)
	if !strings.HasPrefix(rel, "../") {
		rel = "./" + path.Clean(rel)
	}
	return rel
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}

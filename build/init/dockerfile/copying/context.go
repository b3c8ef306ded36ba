package copying

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/finding"
)

// fromContext copies a source of the build context.
func (c *imageCopy) fromContext(source string) {
	matched := c.repo.Context.Match(source)
	kept := matched[:0:0]
	for _, m := range matched {
		if strings.HasSuffix(m, "/") || c.repo.Context.Has(m) && !c.exclude(m) {
			kept = append(kept, m)
		}
	}
	if c.st.Compiles && slices.ContainsFunc(kept, func(n string) bool { return isSource(n, c.repo.Files) }) {
		c.sourceInImage(kept)
		return
	}
	if len(kept) == 0 {
		if at := c.repo.MainNamed(source); at >= 0 {
			c.putProgram(at, nil, c.into(source))
			return
		}
		if len(matched) > 0 {
			c.problem(source+" is excluded by .dockerignore", "")
			return
		}
		if strings.ContainsAny(source, "*?[") {
			return
		}
		name := strings.TrimPrefix(path.Clean("/"+source), "/")
		c.problem(source+" is not in git: it is ignored, or something makes it",
			"make it with Before, and copy it: "+asset(name, c.into(source)))
		return
	}
	for _, name := range kept {
		if c.add && isArchive(name) {
			c.problem(name+" is an archive that ADD unpacks",
				"commit its content, and copy that with Assets")
			continue
		}
		target := c.into(strings.TrimPrefix(name, c.repo.Context.Folder+"/"))
		if strings.HasSuffix(name, "/") && !c.parents { // its content goes into the target itself
			target = path.Clean(c.target)
		}
		c.copySource(name, target, c.mode)
	}
}

// copySource adds a file of the repository, or the content of a folder. mode is that of a file.
func (c *imageCopy) copySource(name, target string, mode uint32) {
	if !strings.HasSuffix(name, "/") {
		if certificate(name, target) {
			c.st.Certs = append(c.st.Certs, finding.Found(name, c.Place))
			if c.line.Reason == "Assets" {
				c.line.Reason = "CACertificates"
			}
			c.assets++
			return
		}
		e := c.entry(rootfs.File, target)
		e.Source, e.Mode = name, mode
		c.put(e)
		c.assets++
		return
	}
	dir := path.Clean(name)
	split, ok := c.repo.Context.Split(dir, c.exclude)
	if !ok {
		c.problem("it copies "+name+" without what .dockerignore excludes",
			"list the files and folders of it that the program reads as Assets")
		return
	}
	for _, s := range split {
		for dir := path.Dir(path.Join(target, s)); s != "./" && c.uid+c.gid > 0 && dir != "/" &&
			len(dir) >= len(target); dir = path.Dir(dir) {
			own := c.entry(rootfs.Folder, dir)
			own.Mode = 0
			c.put(own)
		}
		e := c.entry(rootfs.File, path.Join(target, s))
		e.Source = path.Join(dir, s)
		if strings.HasSuffix(s, "/") {
			e.Source += "/"
		}
		if path.Clean(e.Source) == "." {
			c.problem("it copies the whole source tree",
				"list the files and folders that the program reads as Assets")
			return
		}
		c.put(e)
		c.assets++
	}
}

// isSource reports whether a file or folder is Go source.
func isSource(name string, files finding.Files) bool {
	base := path.Base(name)
	if base == "go.mod" || base == "go.sum" || base == "go.work" || strings.HasSuffix(base, ".go") ||
		base == "vendor" || path.Clean(name) == "." {
		return true
	}
	return strings.HasSuffix(name, "/") && slices.ContainsFunc(files.Under(name),
		func(n string) bool {
			return strings.HasSuffix(n, ".go") || path.Base(n) == "go.mod"
		})
}

// sourceInImage handles a COPY of source into an image that compiles it.
func (c *imageCopy) sourceInImage(names []string) {
	for _, name := range names {
		e := c.entry(rootfs.File, strings.TrimSuffix(c.target, "/"))
		e.Source = name
		if !strings.HasSuffix(name, "/") {
			e.Target = c.into(name)
		}
		e.Skip = func(n string) bool { return !c.repo.Context.Has(n) }
		c.st.FS.Put(e)
		if path.Clean(name) == "." {
			if data := dataFolders(c.repo); len(data) > 0 {
				c.problem("the image contains the whole source tree",
					"if the program reads files of it, list them as Assets, for example "+
						asset(data[0], path.Join(c.target, data[0])))
			}
		}
	}
}

// dataFolders returns folders and files at the root that programs often read.
func dataFolders(repo repository.Repository) []string {
	words := []string{"static", "public", "templates", "template", "views", "assets", "web", "ui", "www",
		"html", "migrations", "config", "configs", "locales", "i18n", "data", "resources", "conf"}
	var all []string
	for _, w := range words {
		name := path.Join(repo.Context.Folder, w)
		if under := repo.Files.Under(name); len(under) > 0 &&
			slices.ContainsFunc(under, func(n string) bool { return !strings.HasSuffix(n, ".go") }) {
			all = append(all, w)
		}
	}
	return all
}

func isArchive(name string) bool {
	for _, end := range []string{".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".txz", ".tbz2"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// certificate reports whether a file is a CA certificate that the image should trust.
func certificate(name, target string) bool {
	end := path.Ext(name)
	return (strings.HasPrefix(target, "/usr/local/share/ca-certificates/") ||
		strings.HasPrefix(target, "/etc/pki/ca-trust/source/anchors/") ||
		strings.HasPrefix(target, "/etc/ssl/certs/")) && (end == ".crt" || end == ".pem" || end == ".cer")
}

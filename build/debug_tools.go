package build

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/thimble-build/thimble/build/internal/busybox"
	"github.com/thimble-build/thimble/build/internal/capability"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// debugTools are the tools for one platform.
type debugTools struct {
	busybox debian.Selection

	dlv      *madeFile
	file     tree.File
	info     *debug.BuildInfo
	modules  []golist.Module
	licenses map[string]license.Result
	texts    []byte
}

// debugFormat is part of the key of the layer with the tools.
const debugFormat = "thimble debug 1"

// debugLicenses is the path of the licence texts of dlv and its modules.
const debugLicenses = debugFolder + "/licenses/third-party.txt"

// build makes dlv for a platform, and finds its modules and licences.
func (d *debugging) build(ctx context.Context, platform plan.Platform) error {
	if d == nil {
		return nil
	}
	t := d.tools[platform]
	return d.Stage("delve "+platform.String(), func() (string, error) {
		var err error
		dir := filepath.Join(d.workFolder(), "tools")
		t.dlv, err = d.makeFile(ctx, d.delve.Path(platform, dir), func() (err error) {
			t.info, err = d.delve.Build(ctx, platform, dir)
			return err
		})
		if err != nil {
			return "", err
		}
		if err := d.modules.Check(ctx, linkedModules(t.info, d.delve.Go.ModMode)); err != nil {
			return "", err
		}
		if t.modules, err = d.delve.Modules(ctx, platform); err != nil {
			return "", err
		}
		if t.file, err = t.dlv.digests(ctx, debugDlv); err != nil {
			return "", err
		}
		scanned := []license.Module{license.Standard(d.delve.Go.Root, d.delve.Go.Version)}
		for _, m := range t.modules {
			scanned = append(scanned, license.Module{Path: m.Path, Version: m.Version, Sum: m.Sum, Dir: m.Dir, Packages: m.Packages})
		}
		results, err := license.Scan(ctx, scanned, d.memo)
		if err != nil {
			return "", err
		}
		t.licenses = map[string]license.Result{}
		for _, result := range results {
			t.licenses[result.Path] = result
		}
		t.texts, err = license.Texts(scanned, results)
		return d.delve.Version, err
	})
}

// digests returns the digests of the file for its path in the image.
func (m *madeFile) digests(ctx context.Context, in string) (tree.File, error) {
	content, err := m.open()
	if err != nil {
		return tree.File{}, err
	}
	return digestReader(limit.Reader(ctx, content), in)
}

func digestReader(r io.Reader, in string) (tree.File, error) {
	h1, h256, h512 := sha1.New(), sha256.New(), sha512.New()
	size, err := io.Copy(io.MultiWriter(h1, h256, h512), r)
	if err != nil {
		return tree.File{}, fmt.Errorf("read %s: %w", in, err)
	}
	return tree.File{
		Path: in, Size: size, SHA1: hex.EncodeToString(h1.Sum(nil)),
		SHA256: hex.EncodeToString(h256.Sum(nil)), SHA512: hex.EncodeToString(h512.Sum(nil)),
	}, nil
}

// dlvCapabilities returns the file capabilities of dlv. When a process is traced, the kernel
// withholds the service's file capabilities unless the tracer has CAP_SYS_PTRACE. It makes root
// the owner of /proc files of a process with capabilities, so dlv also needs CAP_DAC_OVERRIDE.
func (d *debugging) dlvCapabilities(u *unit) []string {
	if d.toolbox || len(u.image.Capabilities) == 0 {
		return nil
	}
	return []string{"cap_sys_ptrace", "cap_dac_override"}
}

// key identifies the content of the layers.
func (d *debugging) key(u *unit) string {
	if d == nil {
		return ""
	}
	t := d.tools[u.platform]
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n%q\n%q\n%x\n", debugFormat, t.file.SHA256, t.busybox.Key(), d.dlvCapabilities(u), sha256.Sum256(t.texts))
	return hex.EncodeToString(h.Sum(nil)) + u.buildID
}

// layers returns the layers that a debug image has instead of or below the binary's; nil for
// other images.
func (d *debugging) layers(ctx context.Context, u *unit) []func(context.Context) (image.Layer, error) {
	if d == nil {
		return nil
	}
	u.tools = sync.OnceValues(func() (*tree.Tree, error) { return d.toolTree(ctx, u) })
	all := []func(context.Context) (image.Layer, error){d.layer("debug", d.key(u), u.tools)}
	if d.toolbox {
		all = append(all, d.layer("symbols", u.buildID+" "+u.symbols.sha256, func() (*tree.Tree, error) {
			return d.symbolTree(u)
		}))
	}
	return all
}

// symbolsIn returns the path where debuggers look for symbols by default.
func symbolsIn(u *unit) string { return path.Join("/usr/lib/debug", buildIDPath(u.buildID)) }

func (d *debugging) symbolTree(u *unit) (*tree.Tree, error) {
	t := &tree.Tree{}
	return t, t.Add(tree.Node{
		Path: symbolsIn(u)[1:], Mode: 0o644, Size: u.symbols.info.Size(), Open: u.symbols.open,
	})
}

// toolTree returns dlv, busybox with a link for each of its commands, and the licences of both.
func (d *debugging) toolTree(ctx context.Context, u *unit) (*tree.Tree, error) {
	t := d.tools[u.platform]
	caps, err := capability.Encode(d.dlvCapabilities(u))
	if err != nil {
		return nil, err
	}
	all := &tree.Tree{}
	for _, n := range []tree.Node{
		{
			Path: debugDlv[1:], Mode: 0o755, Size: t.file.Size, Capabilities: caps,
			Open: t.dlv.open,
		},
		tree.Bytes(debugLicenses[1:], 0o644, t.texts),
	} {
		if err := all.Add(n); err != nil {
			return nil, err
		}
	}
	component, nodes, err := d.busyboxNodes(ctx, t.busybox)
	if err != nil {
		return nil, fmt.Errorf("add busybox: %w", err)
	}
	return all, all.AddComponent(component, nodes...)
}

// busyboxNodes takes from Debian's package the executable, its copyright file and, for
// scanners, its entry in the status folder.
func (d *debugging) busyboxNodes(ctx context.Context, s debian.Selection) (component tree.Component, nodes []tree.Node, err error) {
	dir, err := os.MkdirTemp("", "thimble-busybox-")
	if err != nil {
		return component, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	from, err := s.Tree(ctx, debianMirror(d.Session), dir)
	if err != nil {
		return component, nil, err
	}
	components, err := from.Components(ctx)
	if err != nil {
		return component, nil, err
	}
	for _, c := range components {
		if c.Name == busybox.Package {
			component, component.Files = c, nil
		}
	}
	var executable []byte
	for _, n := range from.Nodes() {
		to, perm := "", fs.FileMode(0o644)
		switch {
		case path.Base(n.Path) == "busybox" && path.Base(path.Dir(n.Path)) == "bin":
			to, perm = debugBin+"/busybox", 0o755
		case n.Path == "usr/share/doc/"+busybox.Package+"/copyright":
			to = debugFolder + "/licenses/" + busybox.Package
		case strings.HasPrefix(n.Path, "var/lib/dpkg/status.d/"):
			to = "/" + n.Path
		}
		if to == "" || !n.Mode.IsRegular() {
			continue
		}
		content, err := readNode(n)
		if err != nil {
			return component, nil, fmt.Errorf("read /%s: %w", n.Path, err)
		}
		if perm == 0o755 {
			executable = content
		}
		nodes = append(nodes, tree.Bytes(to[1:], perm, content))
	}
	if component.Name == "" || executable == nil {
		return component, nil, fmt.Errorf("package %s of Debian has no busybox in it", busybox.Package)
	}
	applets, err := busybox.Applets(executable)
	if err != nil {
		return component, nil, err
	}
	for _, a := range applets {
		if a != "busybox" {
			nodes = append(nodes, tree.Node{Path: debugBin[1:] + "/" + a, Mode: fs.ModeSymlink | 0o777, Link: "busybox"})
		}
	}
	return component, nodes, nil
}

func readNode(n tree.Node) ([]byte, error) {
	r, err := n.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close() // only read
	return io.ReadAll(r)
}

// components returns the components that Debian packages add to a debug image.
func (d *debugging) components(ctx context.Context, u *unit) ([]tree.Component, error) {
	if d == nil {
		return nil, nil
	}
	return value(d.run, "components-debug-"+d.key(u), func() ([]tree.Component, error) {
		t, err := u.tools()
		if err != nil {
			return nil, err
		}
		return t.Components(ctx)
	})
}

// binary returns the path of the executable for the SBOM and the healthcheck.
func (d *debugging) binary(u *unit) string {
	if d.isToolbox() {
		return debugDlv
	}
	return u.appPath()
}

func (u *unit) appPath() string { return tree.AppPath(u.image.Name) }

// describe adds dlv to an SBOM, and removes the service from a toolbox's SBOM.
func (d *debugging) describe(ctx context.Context, u *unit, in *describe.Input) error {
	if d == nil {
		return nil
	}
	t := d.tools[u.platform]
	module := describer(t.modules, t.licenses)
	binary := describe.Binary{Path: debugDlv, Name: "dlv", Size: t.file.Size, SHA1: t.file.SHA1, SHA256: t.file.SHA256, SHA512: t.file.SHA512}
	version, _, _ := strings.Cut(t.info.GoVersion, " ")
	p := describe.Program{
		Path: t.info.Main.Path, Binary: &binary, Modules: []describe.Module{module(&t.info.Main)},
		Std: describe.Module{Path: "std", Version: version, License: t.licenses["std"]},
	}
	for _, m := range t.info.Deps {
		p.Modules = append(p.Modules, module(m))
	}
	texts, err := digestReader(strings.NewReader(string(t.texts)), debugLicenses)
	if err != nil {
		return err
	}
	in.Assets = append(in.Assets, describe.Asset{File: texts})
	if d.toolbox {
		in.Binary, p.Binary = binary, nil
		in.Main, in.Modules, in.Std = describe.Module{}, nil, describe.Module{}
		symbols, err := u.symbols.digests(ctx, symbolsIn(u))
		if err != nil {
			return err
		}
		in.Assets = append(in.Assets, describe.Asset{File: symbols})
	}
	in.Programs = append(in.Programs, p)
	return nil
}

package debugimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/capability"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// tools are the tools for one platform.
type tools struct {
	kind    Kind
	busybox debian.Selection
	mirror  debian.Mirror

	dlv      *compile.Output
	file     tree.File // dlv
	info     *debug.BuildInfo
	modules  []golist.Module
	licenses map[string]license.Result
	texts    []byte
}

// format is part of the key of the layer with the tools.
const format = "thimble debug 1"

// licensesPath is the path of the licence texts of dlv and its modules.
const licensesPath = folder + "/licenses/third-party.txt"

// Extras makes the tools for the platforms of a plan, and returns what each debug image has in
// addition.
func (s Source) Extras(ctx context.Context, sess *session.Session, p *plan.Plan, w pipeline.Workspace,
	outputs *compile.Outputs) (map[pipeline.Unit]assemble.Extra, error) {
	all := map[pipeline.Unit]assemble.Extra{}
	for _, platform := range p.Platforms {
		var t *tools
		err := sess.Stage("delve "+platform.String(), func() (_ string, err error) {
			t, err = s.build(ctx, sess, platform, w, outputs)
			return s.Delve.Version, err
		})
		if err != nil {
			return nil, err
		}
		for _, img := range p.Images {
			if all[pipeline.Unit{Image: img.Name, Platform: platform}], err = t.extra(ctx, img); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// build makes dlv for a platform, and finds its modules and licences.
func (s Source) build(ctx context.Context, sess *session.Session, platform plan.Platform,
	w pipeline.Workspace, outputs *compile.Outputs) (*tools, error) {
	t := &tools{kind: s.Kind, busybox: s.busybox[platform], mirror: pipeline.DebianMirror(sess)}
	dir := filepath.Join(w.Folder, "tools")
	var err error
	t.dlv, err = outputs.Make(ctx, s.Delve.Path(platform, dir), func() (err error) {
		t.info, err = s.Delve.Build(ctx, platform, dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := w.Modules.Check(ctx, compile.LinkedModules(t.info, s.Delve.Go.ModMode)); err != nil {
		return nil, err
	}
	if t.modules, err = s.Delve.Modules(ctx, platform); err != nil {
		return nil, err
	}
	content, err := t.dlv.Open()
	if err != nil {
		return nil, err
	}
	if t.file, err = tree.Describe(ctx, content, dlv); err != nil {
		return nil, err
	}
	licenses, err := materials.ScanLicenses(ctx, license.Standard(s.Delve.Go.Root, s.Delve.Go.Version),
		t.modules, w.Modules, w.LicenseMemo(sess))
	if err != nil {
		return nil, err
	}
	t.licenses = licenses.ByPath()
	t.texts, err = licenses.Texts()
	return t, err
}

// extra returns what the debug image of an image has in addition.
func (t *tools) extra(ctx context.Context, img plan.Image) (assemble.Extra, error) {
	program := t.program()
	texts, err := tree.Describe(ctx, strings.NewReader(string(t.texts)), licensesPath)
	if err != nil {
		return assemble.Extra{}, err
	}
	e := assemble.Extra{
		Tools:   func(ctx context.Context) (*tree.Tree, error) { return t.tree(ctx, img) },
		Key:     t.key(img),
		Toolbox: t.kind.Toolbox, Entrypoint: []string{},
		Programs: []sbom.Program{program}, Assets: []sbom.Asset{{File: texts}},
	}
	if t.kind.Toolbox {
		e.Executable = dlv
	} else {
		e.Entrypoint = slices.Concat([]string{dlv, "exec"}, headless, []string{tree.AppPath(img.Name), "--"})
	}
	return e, nil
}

// program returns dlv for an SBOM.
func (t *tools) program() sbom.Program {
	module := assemble.Describer(t.modules, t.licenses)
	version, _, _ := strings.Cut(t.info.GoVersion, " ")
	p := sbom.Program{
		Path: t.info.Main.Path, Modules: []sbom.Module{module(&t.info.Main)},
		Std: sbom.Module{Path: "std", Version: version, License: t.licenses["std"]},
		Binary: &sbom.Binary{Path: dlv, Name: "dlv", Size: t.file.Size, SHA1: t.file.SHA1,
			SHA256: t.file.SHA256, SHA512: t.file.SHA512},
	}
	for _, m := range t.info.Deps {
		p.Modules = append(p.Modules, module(m))
	}
	return p
}

// capabilities returns the file capabilities of dlv. When a process is traced, the kernel withholds
// the service's file capabilities unless the tracer has CAP_SYS_PTRACE. It makes root the owner of
// /proc files of a process with capabilities, so dlv also needs CAP_DAC_OVERRIDE.
func (k Kind) capabilities(img plan.Image) []string {
	if k.Toolbox || len(img.Capabilities) == 0 {
		return nil
	}
	return []string{"cap_sys_ptrace", "cap_dac_override"}
}

// key identifies the content of the layer with the tools.
func (t *tools) key(img plan.Image) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n%q\n%q\n%x\n", format, t.file.SHA256, t.busybox.Key(), t.kind.capabilities(img),
		sha256.Sum256(t.texts))
	return hex.EncodeToString(h.Sum(nil))
}

// tree returns dlv, busybox with a link for each of its commands, and the licences of both.
func (t *tools) tree(ctx context.Context, img plan.Image) (*tree.Tree, error) {
	caps, err := capability.Encode(t.kind.capabilities(img))
	if err != nil {
		return nil, err
	}
	all := &tree.Tree{}
	for _, n := range []tree.Node{
		{Path: dlv[1:], Mode: 0o755, Size: t.file.Size, Capabilities: caps, Open: t.dlv.Open},
		tree.Bytes(licensesPath[1:], 0o644, t.texts),
	} {
		if err := all.Add(n); err != nil {
			return nil, err
		}
	}
	component, nodes, err := busyboxNodes(ctx, t.busybox, t.mirror)
	if err != nil {
		return nil, fmt.Errorf("add busybox: %w", err)
	}
	return all, all.AddComponent(component, nodes...)
}

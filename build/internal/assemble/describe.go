package assemble

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/dynlink"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// describe waits until the binary is hashed. Then it takes both SBOMs from the cache or makes them.
// Their key covers everything they are made of, in a short form.
func (in Input) describe(ctx context.Context, img *Image, layers keys) (err error) {
	if err = in.hash(img); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("describe %s: %w", in.Target, err)
		}
	}()
	var symbols string
	if in.first().Symbols != nil {
		symbols = in.first().Symbols.BuildID
	}
	var further []string
	for _, e := range img.Further {
		further = append(further, e.SHA256)
	}
	var modules [][]golist.Module
	for _, p := range in.Programs {
		modules = append(modules, p.Modules)
	}
	key, err := json.Marshal(struct {
		Plan               *plan.Plan
		Image              plan.Image
		Platform           plan.Platform
		Binary             string
		Further            []string
		Modules            [][]golist.Module
		Licenses           map[string]license.Result
		Rootfs, Assets     string
		Base               string
		LicenseTextsDigest string
		Debug              string
	}{
		in.Plan.Of(img.Image), img.Image.Untagged(), img.Platform, img.SHA256, further, modules, in.Licenses,
		layers.rootfs, layers.assets,
		in.Base.Key, fmt.Sprintf("%x", sha256.Sum256(in.Texts)), in.Extra.Key + symbols,
	})
	if err != nil {
		return err
	}
	kept, err := in.Cache.Value(fmt.Sprintf("%ssbom-%x", in.CacheVersion, sha256.Sum256(key)),
		func() ([]byte, error) {
			return in.documents(ctx, img)
		})
	if err != nil {
		return err
	}
	head, docs, _ := bytes.Cut(kept, []byte("\n"))
	var length int
	if _, err := fmt.Sscan(string(head), &img.Components, &length); err != nil || length > len(docs) {
		return fmt.Errorf("read the SBOMs from the cache: %q", head)
	}
	img.SPDX, img.CycloneDX = docs[:length], docs[length:]
	return nil
}

// documents returns a line with the number of components and the length of the first document, and
// the two documents.
func (in Input) documents(ctx context.Context, img *Image) ([]byte, error) {
	contents, err := in.allContents(ctx, img)
	if err != nil {
		return nil, err
	}
	spdx, err := sbom.SPDX(contents)
	if err != nil {
		return nil, err
	}
	cdx, err := sbom.CycloneDX(contents)
	if err != nil {
		return nil, err
	}
	components, err := sbom.Components(contents)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("%d %d\n", components, len(spdx))
	return slices.Concat([]byte(head), spdx, cdx), nil
}

// allContents returns everything that the documents are made of.
func (in Input) allContents(ctx context.Context, img *Image) (sbom.Input, error) {
	all, err := img.contents(ctx)
	if err != nil {
		return all, err
	}
	licenses := tree.LicensesPath
	if img.ArchiveOnly {
		licenses = "/" + archive.LicensesFile
	}
	for i, p := range in.Programs {
		sums, err := p.Binary.Digests()
		if err != nil {
			return all, err
		}
		binary := sbom.Binary{
			Path: tree.AppPath(p.Binary.Program.Name), Name: p.Binary.Program.Name, Size: p.Binary.Size,
			SHA1: sums.SHA1, SHA256: sums.SHA256, SHA512: sums.SHA512,
		}
		if img.ArchiveOnly { // its path in the archive
			binary.Path = "/" + p.Binary.Program.File()
		}
		if i == 0 {
			all.Binary = binary
		} else {
			all.Further = append(all.Further, binary)
		}
	}
	if len(in.Texts) > 0 {
		texts, err := tree.Describe(ctx, bytes.NewReader(in.Texts), licenses)
		if err != nil {
			return all, err
		}
		all.Assets = append(all.Assets, sbom.Asset{File: texts})
	}
	all.Assets = append(all.Assets, in.Extra.Assets...)
	all.Programs = slices.Concat(all.Programs, in.Extra.Programs)
	if !in.Extra.Toolbox {
		return all, nil
	}
	// The document is about the first tool; the service is not in the image.
	all.Programs, all.Further = slices.Clone(in.Extra.Programs), nil
	all.Binary, all.Programs[0].Binary = *all.Programs[0].Binary, nil
	all.Main, all.Modules, all.Std = sbom.Module{}, nil, sbom.Module{}
	content, err := in.first().Symbols.Open()
	if err != nil {
		return all, err
	}
	symbols, err := tree.Describe(ctx, content, in.symbolsPath())
	if err != nil {
		return all, err
	}
	all.Assets = append(all.Assets, sbom.Asset{File: symbols})
	return all, nil
}

// contents returns a function that returns the modules of an image and its components. The modules
// come from the binary's build info; go list adds their dependencies on each other.
func (in Input) contents(libraries []dynlink.Library,
	components func(context.Context) ([]tree.Component, error)) func(context.Context) (sbom.Input, error) {
	return func(ctx context.Context) (sbom.Input, error) {
		module := Describer(in.first().Modules, in.Licenses)
		build := in.first().Binary.Build
		all := sbom.Input{
			Plan: in.Plan.Of(in.Target.Image), Image: in.Target.Image.Untagged(),
			Platform: in.Target.Platform,
			Main:     module(&build.Main),
			Std: sbom.Module{Path: "std", Version: in.Plan.Toolchain.Version,
				License: in.Licenses["std"]},
			Compiler: compilerFor(in.Plan, in.Target.Platform),
		}
		if components != nil {
			var err error
			if all.Components, err = components(ctx); err != nil {
				return all, err
			}
		}
		for _, l := range libraries {
			all.Libraries = append(all.Libraries,
				sbom.Library{Name: l.Name, Path: l.Path, Component: l.Package})
		}
		for _, m := range build.Deps {
			all.Modules = append(all.Modules, module(m))
		}
		for _, p := range in.Programs[1:] {
			module, build := Describer(p.Modules, in.Licenses), p.Binary.Build
			program := sbom.Program{Path: build.Main.Path, Own: true, Std: all.Std,
				Modules: []sbom.Module{module(&build.Main)}}
			for _, m := range build.Deps {
				program.Modules = append(program.Modules, module(m))
			}
			all.Programs = append(all.Programs, program)
		}
		return all, nil
	}
}

// Describer returns a function that combines what a binary's build info, go list and the licence
// files say about a module.
func Describer(listed []golist.Module, licenses map[string]license.Result) func(*debug.Module) sbom.Module {
	imports := map[string][]string{}
	for _, m := range listed {
		imports[m.Path] = m.Imports
	}
	return func(m *debug.Module) sbom.Module {
		d := sbom.Module{Path: m.Path, Version: m.Version, Sum: m.Sum, Imports: imports[m.Path],
			License: licenses[m.Path]}
		if m.Replace != nil {
			d.Replace = &sbom.Module{Path: m.Replace.Path, Version: m.Replace.Version, Sum: m.Replace.Sum}
		}
		return d
	}
}

// compilerFor returns the C compiler of a platform; nil if the plan has none.
func compilerFor(p *plan.Plan, platform plan.Platform) *plan.CCompiler {
	for i, c := range p.Toolchain.C {
		if c.Platform == platform {
			return &p.Toolchain.C[i]
		}
	}
	return nil
}

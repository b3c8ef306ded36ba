// Package targets contains thimble's Mage targets. A magefile imports it:
//
//	//mage:import
//	_ "github.com/thimble-build/thimble/build/targets"
//
// and sets Config in an init function, unless the defaults are enough. Each target reads its
// flags, makes one call of package build, and prints progress to stderr and results to stdout.
package targets

import (
	"context"
	"os"

	"github.com/thimble-build/thimble/build"
)

// Config says what the repository builds. The zero value works.
var Config build.Config

// Test vets and tests the service's module
func Test(ctx context.Context,
	offline *bool, // connects to no other machine
) error {
	return run(ctx, call{}, nil, offline, func(ctx context.Context, s *session) error {
		s.result(build.Test(ctx, s.options))
		return s.err
	})
}

// Build compiles static binaries into dist/bin
func Build(ctx context.Context,
	platform *string, // platforms such as linux/arm64,linux/arm/v7, or "all" for the release's set
	test *bool, // false leaves the tests out
	json *bool, // prints the manifest
	offline *bool, // connects to no other machine
) error {
	return run(ctx, call{}, json, offline, func(ctx context.Context, s *session) error {
		s.choose(platform)
		s.result(build.Binaries(ctx, build.BuildOptions{Options: s.options, SkipTests: isFalse(test)}))
		return s.err
	})
}

// Image makes minimal images in dist/oci, tested and described
func Image(ctx context.Context,
	platform *string, // platforms such as linux/arm64,linux/arm/v7, or "all" for the release's set
	test *bool, // false leaves the tests out
	load *bool, // hands the image to the container engine that answers
	archive *string, // a docker archive to write as well
	json *bool, // prints the manifest
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"image", platform, test, load, archive, json, offline,
	), json, offline, func(ctx context.Context, s *session) error {
		s.choose(platform)
		s.result(build.Image(ctx, build.ImageOptions{
			Options: s.options, SkipTests: isFalse(test), Load: is(load),
			Archive: value(archive), Summary: s.summary,
		}))
		return s.err
	})
}

// Debug makes images with a debugger and a shell, or a toolbox for running containers
func Debug(ctx context.Context,
	toolbox *bool, // leaves the service out: the image joins a running container
	platform *string, // platforms such as linux/arm64, or "all" for the release's set
	load *bool, // hands the image to the container engine that answers
	archive *string, // a docker archive to write as well
	json *bool, // prints the manifest
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"debug", toolbox, platform, load, archive, json, offline,
	), json, offline, func(ctx context.Context, s *session) error {
		s.choose(platform)
		s.result(build.Debug(ctx, build.DebugOptions{
			Options: s.options, Toolbox: is(toolbox), Load: is(load),
			Archive: value(archive), Summary: s.summary,
		}))
		return s.err
	})
}

// Sbom lists what is in the images of dist
func Sbom(ctx context.Context,
	format *string, // spdx or cyclonedx prints that document instead
	platform *string, // of one platform only
	offline *bool, // connects to no other machine
) error {
	return run(ctx, call{}, nil, offline, func(ctx context.Context, s *session) error {
		return sbom(ctx, s.options, value(format), value(platform))
	})
}

// Plan prints what would be built, as JSON
func Plan(ctx context.Context,
	platform *string, // platforms such as linux/arm64,linux/arm/v7, or "all" for the release's set
	offline *bool, // connects to no other machine
) error {
	return run(ctx, call{}, nil, offline, func(ctx context.Context, s *session) error {
		s.choose(platform)
		p, err := build.Plan(ctx, s.options)
		if err != nil {
			return err
		}
		b, err := p.JSON()
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(b)
		return err
	})
}

// Lock pins what the bases of images are made of, in thimble.lock.json
func Lock(ctx context.Context,
	platform *string, // platforms other than the release's set and this machine's
	json *bool, // prints the lock and what has changed
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"lock", platform, json, offline,
	), json, offline, func(ctx context.Context, s *session) error {
		s.choose(platform)
		l, err := build.Lock(ctx, s.options)
		if err != nil {
			return err
		}
		return s.locked(l)
	})
}

// Clean removes dist
func Clean(ctx context.Context,
	offline *bool, // connects to no other machine
) error {
	return run(ctx, call{}, nil, offline, func(ctx context.Context,
		s *session) error {
		return build.Clean(ctx, s.options)
	})
}

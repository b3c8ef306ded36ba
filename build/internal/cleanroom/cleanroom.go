// Package cleanroom is the process that builds in a clean room: Reproduce and Rebuild of package
// build start a program again, and [Enter] does their work in it. It makes images with package
// build, in a separate environment, and changes nothing outside of the room.
package cleanroom

import (
	"context"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/reproduce"
)

// Asked says whether this process was started to build in a clean room. A program that supports
// it then first calls Enter, and ends.
func Asked() bool {
	_, ok := reproduce.Asked()
	return ok
}

// Enter does the work that the parent process asks for.
func Enter(ctx context.Context) error {
	job, _ := reproduce.Asked()
	return reproduce.Enter(ctx, job, image)
}

func image(ctx context.Context, job reproduce.Job) error {
	_, err := build.Image(ctx, build.ImageOptions{SkipTests: true, Options: build.Options{
		Config: job.Config, Workdir: job.Workdir, Cache: job.Cache, Env: job.Env, Platforms: job.Platforms,
		Offline:  job.Offline,
		FromPlan: job.FromPlan, Memory: &job.Memory,
	}})
	return err
}

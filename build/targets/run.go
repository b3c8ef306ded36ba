package targets

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/magefile/mage/mg"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/ldflags"
)

// Run runs an image as production should, and with -watch again after each change
func Run(ctx context.Context,
	image *string, // the image's name, if there are several
	watch *bool, // builds and starts it again when its source changes
	args *string, // arguments instead of the image's, such as "serve fast"
	env *string, // variables such as LEVEL=debug,TOKEN: without a value it is this environment's
	port *string, // ports instead of the image's, such as 18080:8080,9090
	offline *bool, // connects to no other machine
) error {
	err := run(ctx, calling(
		"run", image, watch, args, env, port, offline,
	), nil, offline, func(ctx context.Context, s *session) error {
		o := build.RunOptions{
			Options: s.options, Image: value(image), Variables: list(env), Ports: list(port),
			Watch: is(watch), Stdout: os.Stdout, Stderr: os.Stderr,
		}
		var err error
		if o.Args, err = ldflags.Split(value(args)); err != nil {
			return fmt.Errorf("-args=%s has a quote that does not end", *args)
		}
		return build.Run(ctx, o)
	})
	var exited interface {
		error
		ExitStatus() int
	}
	if errors.As(err, &exited) {
		return mg.Fatal(exited.ExitStatus(), err)
	}
	return err
}

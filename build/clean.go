package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/publish"
)

// Clean removes everything that thimble made in the output folder, and the folder if it is then
// empty. A missing folder is no error; a folder with other files is one, and is not changed.
func Clean(ctx context.Context, o Options) error {
	s, err := o.session(ctx)
	if err != nil {
		return err
	}
	return publish.Remove(ctx, s.Dist, waiting(s))
}

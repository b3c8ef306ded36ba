package build

import (
	"context"
	"io"

	"github.com/thimble-build/thimble/build/internal/kube"
	"github.com/thimble-build/thimble/build/internal/verify"
)

// ResolveOptions are the options of Resolve, in addition to those of Verify.
type ResolveOptions struct {
	VerifyOptions
	// Files are manifests: files, folders, or "-" for Stdin. Recursive includes folders in folders.
	Files     []string
	Recursive bool
	Stdin     io.Reader
	// From is the tag of a release; the release in the output folder if empty.
	From string
	// Names also replaces the names of images without a repository.
	Names bool
	// Lock is a file for what was resolved. If it exists, and From is empty, it is used again.
	Lock string
}

// Resolve returns manifests of Kubernetes with the images of a release replaced by their digests:
// ko:// and an import path in any string, references to the release's repositories in fields called
// image. Every image is verified. Only the bytes of the replaced names change. Nothing is built.
func Resolve(ctx context.Context, o ResolveOptions) ([]byte, error) {
	s, err := o.signingSession(ctx)
	if err != nil {
		return nil, err
	}
	return kube.Resolve(ctx, s, kube.Request{
		Files: o.Files, Recursive: o.Recursive, Stdin: o.Stdin, From: o.From, Bare: o.Names, Lock: o.Lock,
		Verify: verify.Expectation{Expectation: o.expectation(), Source: o.Source, Within: o.VerifyWithin},
	})
}

package targets

import (
	"context"
	"os"
	"strings"

	"github.com/thimble-build/thimble/build"
)

// init lets resolve have "-f FOLDER", as kubectl has it. Mage knows only "-f=FOLDER".
func init() { os.Args = joinFile(os.Args) }

// joinFile joins the flag -f of the target resolve with its value.
func joinFile(args []string) []string {
	var joined []string
	resolving := false
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") {
			resolving = i > 0 && strings.EqualFold(arg[strings.LastIndexByte(arg, ':')+1:], "resolve")
		}
		if resolving && arg == "-f" && i+1 < len(args) {
			i++
			arg += "=" + args[i]
		}
		joined = append(joined, arg)
	}
	return joined
}

// Resolve writes Kubernetes manifests with the digests of a verified release
func Resolve(ctx context.Context,
	f *string, // manifests: files and folders, separated by commas, or - for standard input
	recursive *bool, // also the folders in folders
	from *string, // the tag of an earlier release, instead of the one in dist
	names *bool, // also replaces names without a repository, such as api:dev
	lock *string, // a file for what was resolved; if it exists, it is used again
	key *string, // files with public keys, of which any may have signed
	identity *string, // the certificate's subject
	identityRegexp *string, // the same, as a regular expression
	issuer *string, // the issuer of the identity's token
	issuerRegexp *string, // the same, as a regular expression
	trustedRoot *string, // Sigstore's trusted_root.json
	source *string, // the repository that the provenance must name
	noTransparencyLog *bool, // does without an entry in a transparency log
	noCertificateLog *bool, // does without an entry in a log of certificates
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"resolve", f, recursive, from, names, lock, key, identity, identityRegexp, issuer, issuerRegexp,
		trustedRoot, source, noTransparencyLog, noCertificateLog, offline,
	), nil, offline, func(ctx context.Context, s *session) error {
		want := expected(key, identity, identityRegexp, issuer, issuerRegexp, trustedRoot, source,
			noTransparencyLog, noCertificateLog)
		want.Options = s.options
		return s.write(build.Resolve(ctx, build.ResolveOptions{
			VerifyOptions: want, Files: list(f), Recursive: is(recursive), Stdin: os.Stdin,
			From: value(from), Names: is(names), Lock: value(lock),
		}))
	})
}

// Manifest writes a Deployment, or a compose file, for the images in dist
func Manifest(ctx context.Context,
	image *string, // one image's name
	compose *bool, // a compose file instead
	offline *bool, // connects to no other machine
) error {
	return run(ctx, call{}, nil, offline, func(ctx context.Context, s *session) error {
		return s.write(build.Manifest(ctx, build.ManifestOptions{Options: s.options, Image: value(image),
			Compose: is(compose)}))
	})
}

// write writes a document for another program to standard output.
func (s *session) write(b []byte, err error) error {
	s.progress.Close()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}

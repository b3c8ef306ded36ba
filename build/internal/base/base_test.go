package base_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

var amd64 = plan.Platform{OS: "linux", Architecture: "amd64"}

const passwd = "alice:x:1000:1000::/home/alice:/bin/sh\n"

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// sources read images from a folder with the layout "image", which has users and a symlink.
func sources(t *testing.T) (s base.Sources, stages, notices *[]string) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644, Size: int64(len(passwd))},
		{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644, Size: int64(len("alice:x:1000:\n"))},
		{Typeflag: tar.TypeDir, Name: "usr/lib", Mode: 0o755},
		{Typeflag: tar.TypeSymlink, Name: "lib", Linkname: "usr/lib"},
	} {
		content := map[string]string{"etc/passwd": passwd, "etc/group": "alice:x:1000:\n"}[h.Name]
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		must[int](t)(io.WriteString(w, content))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer := must[v1.Layer](t)(tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}))
	img := must[v1.Image](t)(mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}, Config: v1.Config{User: "1000"},
	}))
	img = must[v1.Image](t)(mutate.AppendLayers(img, layer))
	dir := t.TempDir()
	if err := must[layout.Path](t)(layout.Write(filepath.Join(dir, "image"), empty.Index)).AppendImage(img); err != nil {
		t.Fatal(err)
	}
	stages, notices = new([]string), new([]string)
	return base.Sources{
		Path:        func(p string) string { return filepath.Join(dir, p) },
		Cache:       must[*cache.Cache](t)(cache.Open(t.TempDir(), cache.Options{})),
		Compression: plan.Gzip,
		Stage: func(name string, stage func() (string, error)) error {
			outcome, err := stage()
			*stages = append(*stages, name+": "+outcome)
			return err
		},
		Notice: func(text string) { *notices = append(*notices, text) },
	}, stages, notices
}

func pin(t *testing.T, s base.Sources, platforms ...plan.Platform) *plan.Lock {
	t.Helper()
	var uses []lock.Use
	for _, p := range platforms {
		uses = append(uses, lock.Use{Base: "oci:image", Platform: p})
	}
	return must[*plan.Lock](t)(base.Lock(t.Context(), s, base.Request{Uses: uses, Now: time.Unix(0, 0)}))
}

func TestScratch(t *testing.T) {
	b := must[base.Base](t)(base.NewSet(base.Sources{}, nil).Base(t.Context(), lock.Use{Base: plan.BaseScratch, Platform: amd64}))
	own := &tree.Tree{}
	if err := own.Add(tree.Bytes("etc/own", 0o644, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	if placed := must[*tree.Tree](t)(b.Place(t.Context(), own)); placed != own {
		t.Errorf("a tree on scratch is %v", placed.Nodes())
	}
	accounts := must[tree.Accounts](t)(b.Accounts(t.Context()))
	covers := must[[]string](t)(b.Covers(t.Context(), plan.Image{}))
	if b.Image != nil || b.Key != "" || b.Digest() != "" || b.Layers() != nil || covers != nil || accounts.Passwd != nil {
		t.Errorf("scratch is %+v, covers %v, and has accounts %+v", b, covers, accounts)
	}
}

func TestImage(t *testing.T) {
	s, stages, notices := sources(t)
	pinned := pin(t, s, amd64, plan.Platform{OS: "linux", Architecture: "arm64"})
	missing := []string{"base oci:image has no image for linux/arm64; it has linux/amd64; it is pinned without the missing platforms"}
	if !slices.Equal(*notices, missing) {
		t.Errorf("the notices of the lock are %q", *notices)
	}
	use := lock.Use{Base: "oci:image", Platform: amd64}
	set := base.NewSet(s, pinned)
	b := must[base.Base](t)(set.Base(t.Context(), use))
	again := must[base.Base](t)(set.Base(t.Context(), use))
	if want := []string{"lock oci:image: " + pinned.Images[0].Digest, "base oci:image linux/amd64: 1 layer"}; !slices.Equal(*stages, want) {
		t.Errorf("the stages are %q", *stages)
	}
	if b.Image != again.Image || len(b.Layers()) != 1 || b.Digest() != pinned.Images[0].Platforms[0].Digest || b.Image.Index != pinned.Images[0].Digest {
		t.Errorf("the base is %+v, and then %+v", b.Image, again.Image)
	}
	for user, want := range map[string][]string{"": {plan.NeedUsers}, "1000:5": {plan.NeedUsers}, "7": nil} {
		got := must[[]string](t)(b.Covers(t.Context(), plan.Image{Runtime: plan.Runtime{User: user}}))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("for user %q it covers %q", user, got)
		}
	}
	if got := must[tree.Accounts](t)(b.Accounts(t.Context())); string(got.Passwd) != passwd {
		t.Errorf("the accounts are %q", got.Passwd)
	}
	own := &tree.Tree{}
	if err := own.Add(tree.Bytes("lib/own", 0o644, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, n := range must[*tree.Tree](t)(b.Place(t.Context(), own)).Nodes() {
		paths = append(paths, n.Path)
	}
	if !slices.Contains(paths, "usr/lib/own") {
		t.Errorf("behind a symlink of the base it has %q", paths)
	}
	components := must[[]tree.Component](t)(b.Components(t.Context()))
	if len(components) != 1 || !strings.HasPrefix(components[0].PURL, "pkg:oci/oci:image@sha256:") {
		t.Errorf("the components are %+v", components)
	}
}

// Whoever changes a layer in its folder, or asks for what is not pinned, gets an error.
func TestImageIsRefused(t *testing.T) {
	s, _, _ := sources(t)
	pinned := pin(t, s, amd64)
	for what, use := range map[string]lock.Use{
		"base oci:other is not in the plan's lock":         {Base: "oci:other", Platform: amd64},
		"base debian with libc6 is not in the plan's lock": {Base: plan.BaseDebian, Packages: []string{"libc6"}, Platform: amd64},
	} {
		if _, err := base.NewSet(s, pinned).Base(t.Context(), use); err == nil || err.Error() != what {
			t.Errorf("%s: the error is %v", what, err)
		}
	}
	blobs := must[[]os.DirEntry](t)(os.ReadDir(s.Path("image/blobs/sha256")))
	for _, b := range blobs {
		if err := os.WriteFile(s.Path("image/blobs/sha256/"+b.Name()), []byte("other"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := base.NewSet(s, pinned).Base(t.Context(), lock.Use{Base: "oci:image", Platform: amd64}); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("changed blobs: the error is %v", err)
	}
}

// Images require the signatures of their bases together.
func TestSignatures(t *testing.T) {
	s, _, _ := sources(t)
	pinned := pin(t, s, amd64)
	nobody := &plan.BaseSignature{}
	wanted := base.WantedBy([]plan.Image{{Name: "a", Base: "oci:image"}, {Name: "b", Base: "oci:image"}, {Name: "c"}}, map[string]*plan.BaseSignature{"b": nobody})
	if want := map[string][]*plan.BaseSignature{"oci:image": {nobody}}; !reflect.DeepEqual(wanted, want) {
		t.Errorf("wanted are %v", wanted)
	}
	if err := base.CheckSignatures(t.Context(), s, pinned, base.Signatures{}); err != nil {
		t.Errorf("without a requirement: %v", err)
	}
	for want, signature := range map[string]*plan.BaseSignature{
		"Config.BaseSignature has no signer":                   nobody,
		"an identity can be verified only with a trusted root": {Identity: "a", Issuer: "b"},
		"missing.pub": {Key: "missing.pub"},
	} {
		required := base.Signatures{Wanted: map[string][]*plan.BaseSignature{"oci:image": {signature}}}
		if err := base.CheckSignatures(t.Context(), s, pinned, required); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v", want, err)
		}
	}
}

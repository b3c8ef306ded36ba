package image_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/image-spec/schema"

	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/plan"
)

// api is a plan and an image with nothing but what resolve always fills in.
func api() image.Input {
	p := &plan.Plan{
		Kit: plan.Kit{Path: "example.com/kit", Version: "v0.1.0"}, Version: "v1.2.3", ModuleVersion: "v1.2.3",
		Revision: "0123456789abcdef0123456789abcdef01234567", Source: "https://example.com/acme/api", SourceDateEpoch: 1770000000,
		Platforms: []plan.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm", Variant: "v7"}},
	}
	return image.Input{
		Plan: p, Platform: p.Platforms[0], Binary: "/app/api",
		Image: plan.Image{Name: "api", Title: "api", Base: "scratch", Licenses: "Apache-2.0", Tags: []string{"v1.2.3"}},
		Layers: []image.Layer{
			{Layer: static.NewLayer([]byte("files"), types.OCILayer), Name: "rootfs"},
			{Layer: static.NewLayer([]byte("program"), types.OCILayerZStd), Name: "binary"},
		},
	}
}

func build(t *testing.T, in image.Input) v1.Image {
	t.Helper()
	img, err := image.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func config(t *testing.T, in image.Input) *v1.ConfigFile {
	t.Helper()
	c, err := build(t, in).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfiguration(t *testing.T) {
	c := config(t, api())
	if c.OS != "linux" || c.Architecture != "amd64" || c.Variant != "" {
		t.Errorf("the platform is %s/%s/%s", c.OS, c.Architecture, c.Variant)
	}
	if want := time.Unix(1770000000, 0).UTC(); !c.Created.Equal(want) || c.Created.Location() != time.UTC {
		t.Errorf("created is %v", c.Created)
	}
	if !slices.Equal(c.Config.Entrypoint, []string{"/app/api"}) || c.Config.Cmd != nil {
		t.Errorf("it runs %q with %q", c.Config.Entrypoint, c.Config.Cmd)
	}
	if c.Config.User != "65532:65532" || c.Config.WorkingDir != "/" || c.Config.StopSignal != "" {
		t.Errorf("the defaults are %q, %q, %q", c.Config.User, c.Config.WorkingDir, c.Config.StopSignal)
	}
	if c.Config.Healthcheck != nil || c.Config.ExposedPorts != nil {
		t.Errorf("nobody asked for %v and %v", c.Config.Healthcheck, c.Config.ExposedPorts)
	}
	in := api()
	in.Platform = in.Plan.Platforms[1]
	if c := config(t, in); c.Architecture != "arm" || c.Variant != "v7" {
		t.Errorf("the platform is %s/%s", c.Architecture, c.Variant)
	}
}

func TestRuntime(t *testing.T) {
	in := api()
	in.Image.Runtime = plan.Runtime{
		User: "1000:0", Args: []string{"serve", "-v"}, WorkingDir: "/data", StopSignal: "SIGQUIT",
		Ports: []string{"8080", "53/udp", "443/tcp"},
	}
	c := config(t, in).Config
	if c.User != "1000:0" || !slices.Equal(c.Cmd, []string{"serve", "-v"}) || c.WorkingDir != "/data" || c.StopSignal != "SIGQUIT" {
		t.Errorf("it is %+v", c)
	}
	if got := slices.Sorted(maps.Keys(c.ExposedPorts)); !slices.Equal(got, []string{"443/tcp", "53/udp", "8080/tcp"}) {
		t.Errorf("the ports are %q", got)
	}
}

// An engine runs a health check without a shell: there is none. What is no path is
// an argument of the service itself.
func TestHealthcheck(t *testing.T) {
	for _, c := range []struct{ command, want []string }{
		{[]string{"healthcheck"}, []string{"CMD", "/app/api", "healthcheck"}},
		{[]string{"-check", "/x"}, []string{"CMD", "/app/api", "-check", "/x"}},
		{[]string{"/bin/check", "-v"}, []string{"CMD", "/bin/check", "-v"}},
		{nil, []string{"CMD", "/app/api"}},
	} {
		in := api()
		in.Image.Runtime.Healthcheck = &plan.Healthcheck{
			Command: c.command, Interval: time.Minute, Timeout: time.Second, Start: 2 * time.Second, Retries: 4,
		}
		h := config(t, in).Config.Healthcheck
		if !slices.Equal(h.Test, c.want) {
			t.Errorf("%q: %q, not %q", c.command, h.Test, c.want)
		}
		if h.Interval != time.Minute || h.Timeout != time.Second || h.StartPeriod != 2*time.Second || h.Retries != 4 {
			t.Errorf("the times are %+v", h)
		}
	}
}

// The environment names what is there, and Config wins, in its own order.
func TestEnvironment(t *testing.T) {
	certificates, home := "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "HOME=/home/nonroot"
	for name, c := range map[string]struct{ needs, env, want []string }{
		"nothing":      {nil, nil, []string{"PATH=/app"}},
		"certificates": {[]string{plan.NeedCACertificates}, nil, []string{"PATH=/app", certificates}},
		"home":         {[]string{plan.NeedHome}, nil, []string{"PATH=/app", home}},
		"other needs":  {[]string{plan.NeedTmp, plan.NeedZoneinfo, plan.NeedUsers}, nil, []string{"PATH=/app"}},
		"added":        {nil, []string{"Z=1", "A=2"}, []string{"PATH=/app", "Z=1", "A=2"}},
		"replaced": {
			[]string{plan.NeedCACertificates, plan.NeedHome}, []string{"HOME=/data", "PATH=/app:/bin"},
			[]string{certificates, "HOME=/data", "PATH=/app:/bin"},
		},
		"twice":       {nil, []string{"A=1", "B=2", "A=3"}, []string{"PATH=/app", "B=2", "A=3"}},
		"empty value": {[]string{plan.NeedHome}, []string{"HOME="}, []string{"PATH=/app", "HOME="}},
		"like a name": {nil, []string{"PATHS=x"}, []string{"PATH=/app", "PATHS=x"}},
	} {
		in := api()
		in.Needs, in.Image.Runtime.Env = c.needs, c.env
		if got := config(t, in).Config.Env; !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

// Labels, annotations of the manifest and of the index say the same.
func TestLabels(t *testing.T) {
	known := map[string]string{
		"org.opencontainers.image.created":   "2026-02-02T02:40:00Z",
		"org.opencontainers.image.revision":  "0123456789abcdef0123456789abcdef01234567",
		"org.opencontainers.image.version":   "v1.2.3",
		"org.opencontainers.image.source":    "https://example.com/acme/api",
		"org.opencontainers.image.title":     "api",
		"org.opencontainers.image.licenses":  "Apache-2.0",
		"org.opencontainers.image.base.name": "scratch",
	}
	for name, c := range map[string]struct {
		change func(*image.Input)
		want   map[string]string // besides, or instead of, what is known; "" where none is
	}{
		"all known": {func(*image.Input) {}, nil},
		"dirty": {func(in *image.Input) {
			in.Plan.Dirty, in.Plan.Version, in.Plan.ModuleVersion = true, "v1.2.3+dirty", "v1.2.3+dirty"
		}, map[string]string{"org.opencontainers.image.version": "v1.2.3+dirty", "build.thimble.dirty": "true"}},
		"a tag that is no version": {func(in *image.Input) {
			in.Plan.Version, in.Plan.ModuleVersion = "6.14.1", "v0.0.0-20260202024000-0123456789ab"
		}, map[string]string{
			"org.opencontainers.image.version": "6.14.1",
			"build.thimble.module-version":     "v0.0.0-20260202024000-0123456789ab",
		}},
		"no git": {func(in *image.Input) {
			in.Plan.Revision, in.Plan.Source, in.Image.Licenses = "", "", ""
		}, map[string]string{
			"org.opencontainers.image.revision": "", "org.opencontainers.image.source": "", "org.opencontainers.image.licenses": "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			in := api()
			c.change(&in)
			want := maps.Clone(known)
			maps.Copy(want, c.want)
			maps.DeleteFunc(want, func(_, v string) bool { return v == "" })
			img := build(t, in)
			file, err := img.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := img.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			index, err := index(t, in).IndexManifest()
			if err != nil {
				t.Fatal(err)
			}
			for what, got := range map[string]map[string]string{
				"labels": file.Config.Labels, "the manifest": manifest.Annotations, "the index": index.Annotations,
			} {
				if !maps.Equal(got, want) {
					t.Errorf("%s:\n%v, not\n%v", what, got, want)
				}
			}
		})
	}
}

func TestLabelsOfConfigWin(t *testing.T) {
	in := api()
	in.Image.Runtime.Labels = map[string]string{"org.opencontainers.image.title": "The API", "team": "a"}
	labels := config(t, in).Config.Labels
	if labels["org.opencontainers.image.title"] != "The API" || labels["team"] != "a" || labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("the labels are %v", labels)
	}
}

func TestLayersAndHistory(t *testing.T) {
	in := api()
	img := build(t, in)
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, in)
	if len(manifest.Layers) != 2 || len(c.RootFS.DiffIDs) != 2 || len(c.History) != 2 {
		t.Fatalf("%d layers, %d diff ids, %d entries of history", len(manifest.Layers), len(c.RootFS.DiffIDs), len(c.History))
	}
	for i, l := range in.Layers {
		digest, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		mediaType, err := l.MediaType()
		if err != nil {
			t.Fatal(err)
		}
		if manifest.Layers[i].Digest != digest || manifest.Layers[i].MediaType != mediaType {
			t.Errorf("layer %d is %v", i, manifest.Layers[i])
		}
		if id, _ := l.DiffID(); c.RootFS.DiffIDs[i] != id {
			t.Errorf("diff id %d is %v", i, c.RootFS.DiffIDs[i])
		}
		want := v1.History{
			Created: v1.Time{Time: in.Plan.Created()}, CreatedBy: "thimble " + l.Name, Comment: "example.com/kit v0.1.0",
		}
		if c.History[i] != want {
			t.Errorf("history %d is %+v", i, c.History[i])
		}
	}
}

func index(t *testing.T, in image.Input) v1.ImageIndex {
	t.Helper()
	var images []v1.Image
	for _, p := range in.Plan.Platforms {
		in.Platform = p
		images = append(images, build(t, in))
	}
	index, err := image.Index(in.Plan, in.Image, nil, images)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func TestIndex(t *testing.T) {
	in := api()
	m, err := index(t, in).IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if m.MediaType != types.OCIImageIndex || len(m.Manifests) != 2 {
		t.Fatalf("it is %+v", m)
	}
	for i, p := range in.Plan.Platforms {
		d := m.Manifests[i]
		if d.MediaType != types.OCIManifestSchema1 || !d.Platform.Equals(v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}) {
			t.Errorf("manifest %d is %+v for %+v", i, d, d.Platform)
		}
	}
	if _, err := image.Index(in.Plan, in.Image, nil, []v1.Image{build(t, in)}); err == nil {
		t.Error("one image for two platforms was taken")
	}
}

// document checks one against its schema of image-spec.
func document(t *testing.T, v schema.Validator, get func() ([]byte, error)) []byte {
	t.Helper()
	b, err := get()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Validate(bytes.NewReader(b)); err != nil {
		t.Errorf("%s: %v\n%s", v, err, b)
	}
	return b
}

func documents(t *testing.T, img v1.Image) []byte {
	t.Helper()
	return slices.Concat(
		document(t, schema.ValidatorMediaTypeManifest, img.RawManifest),
		document(t, schema.ValidatorMediaTypeImageConfig, img.RawConfigFile))
}

// Every document follows image-spec, and the same input gives the same bytes.
func TestDocuments(t *testing.T) {
	full := api()
	full.Needs = []string{plan.NeedCACertificates, plan.NeedHome}
	full.Image.Runtime = plan.Runtime{
		Args: []string{"serve"}, Env: []string{"A=b", "C=d"}, Ports: []string{"80", "53/udp", "9000"}, StopSignal: "SIGTERM",
		Labels:      map[string]string{"a": "1", "b": "2", "c": "3"},
		Healthcheck: &plan.Healthcheck{Command: []string{"healthcheck"}, Interval: time.Second},
	}
	for name, in := range map[string]image.Input{"plain": api(), "full": full} {
		t.Run(name, func(t *testing.T) {
			first := documents(t, build(t, in))
			of := document(t, schema.ValidatorMediaTypeImageIndex, index(t, in).RawManifest)
			for range 20 {
				if !bytes.Equal(documents(t, build(t, in)), first) {
					t.Fatal("a second image differs")
				}
				if b, err := index(t, in).RawManifest(); err != nil || !bytes.Equal(b, of) {
					t.Fatalf("a second index differs, %v", err)
				}
			}
		})
	}
}

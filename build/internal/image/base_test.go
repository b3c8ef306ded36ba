package image_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/plan"
)

// based is api on a base that sets everything that a configuration can have.
func based() image.Input {
	in := api()
	in.Base = &image.Base{
		Name: "example.com/base:1", Digest: "sha256:aa", Index: "sha256:bb",
		Config: v1.Config{
			User: "1000:1000", Env: []string{"PATH=/usr/bin", "LANG=C", "SSL_CERT_FILE=/base.pem"}, WorkingDir: "/srv",
			Labels:       map[string]string{"kept": "base", "changed": "base", "org.opencontainers.image.title": "the base"},
			ExposedPorts: map[string]struct{}{"80/tcp": {}}, Volumes: map[string]struct{}{"/data": {}}, StopSignal: "SIGINT",
			Entrypoint: []string{"/bin/sh"}, Cmd: []string{"-c"}, Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "true"}},
			Shell: []string{"/bin/bash"}, OnBuild: []string{"RUN x"}, Hostname: "h", Domainname: "d", Tty: true, OpenStdin: true,
		},
		History: []v1.History{{CreatedBy: "COPY"}, {CreatedBy: "ENV", EmptyLayer: true}},
		Layers:  []image.Layer{{Layer: static.NewLayer([]byte("below"), types.OCILayer), Name: "base"}},
	}
	in.Image.Base = in.Base.Name
	return in
}

// What an image inherits, and what wins, as docs/bases.md has it.
func TestInherit(t *testing.T) {
	c := config(t, based()).Config
	if c.User != "1000:1000" || c.WorkingDir != "/srv" || c.StopSignal != "SIGINT" ||
		!slices.Equal(c.Env, []string{"PATH=/usr/bin", "LANG=C", "SSL_CERT_FILE=/base.pem"}) ||
		!reflect.DeepEqual(slices.Sorted(maps.Keys(c.ExposedPorts)), []string{"80/tcp"}) || len(c.Volumes) != 1 {
		t.Errorf("inherited is %+v", c)
	}
	if c.Labels["kept"] != "base" || c.Labels["changed"] != "base" || c.Labels["org.opencontainers.image.title"] != "api" {
		t.Errorf("the labels are %v", c.Labels)
	}
	if !slices.Equal(c.Entrypoint, []string{"/app/api"}) || c.Cmd != nil || c.Healthcheck != nil || c.Shell != nil || c.OnBuild != nil ||
		c.Hostname != "" || c.Domainname != "" || c.Tty || c.OpenStdin {
		t.Errorf("what is about the base's own program is in %+v", c)
	}

	in := based()
	in.Needs = []string{plan.NeedCACertificates}
	in.Image.Runtime = plan.Runtime{
		User: "0:0", WorkingDir: "/", StopSignal: "SIGQUIT", Env: []string{"LANG=de", "A=b"}, Ports: []string{"8080"},
		Labels: map[string]string{"changed": "mine", "org.opencontainers.image.title": "mine"},
	}
	c = config(t, in).Config
	if c.User != "0:0" || c.WorkingDir != "/" || c.StopSignal != "SIGQUIT" ||
		!slices.Equal(c.Env, []string{"PATH=/usr/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "LANG=de", "A=b"}) ||
		!slices.Equal(slices.Sorted(maps.Keys(c.ExposedPorts)), []string{"80/tcp", "8080/tcp"}) ||
		c.Labels["kept"] != "base" || c.Labels["changed"] != "mine" || c.Labels["org.opencontainers.image.title"] != "mine" {
		t.Errorf("over the base's it is %+v", c)
	}

	// The base stays as it was: two images may stand on it.
	if base := based().Base; !reflect.DeepEqual(in.Base.Config, base.Config) {
		t.Errorf("the base is now %+v", in.Base.Config)
	}
}

// The base's layers and history come first, and a history that fits no layers is replaced.
func TestBaseHistory(t *testing.T) {
	for name, tc := range map[string]struct {
		history []v1.History
		want    []string
	}{
		"its own":           {based().Base.History, []string{"COPY", "ENV"}},
		"none":              {nil, []string{"thimble base example.com/base:1"}},
		"of too few layers": {[]v1.History{{CreatedBy: "ENV", EmptyLayer: true}}, []string{"thimble base example.com/base:1"}},
		"of too many":       {[]v1.History{{CreatedBy: "a"}, {CreatedBy: "b"}}, []string{"thimble base example.com/base:1"}},
	} {
		in := based()
		in.Base.History = tc.history
		file := config(t, in)
		var got []string
		layers := 0
		for _, h := range file.History {
			got = append(got, h.CreatedBy)
			if !h.EmptyLayer {
				layers++
			}
		}
		if !slices.Equal(got[:len(got)-len(in.Layers)], tc.want) || layers != len(file.RootFS.DiffIDs) || layers != 3 {
			t.Errorf("%s: the history is %q, of %d layers", name, got, layers)
		}
	}
	manifest, err := build(t, based()).Manifest()
	if err != nil {
		t.Fatal(err)
	}
	below, err := based().Base.Layers[0].Digest()
	if err != nil || manifest.Layers[0].Digest != below || len(manifest.Layers) != 3 {
		t.Errorf("the layers are %+v, %v", manifest.Layers, err)
	}
	if manifest.Annotations["org.opencontainers.image.base.name"] != "example.com/base:1" || manifest.Annotations["org.opencontainers.image.base.digest"] != "sha256:aa" {
		t.Errorf("the annotations are %v", manifest.Annotations)
	}
}

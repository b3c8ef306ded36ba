package build_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/report"
)

// verifyVariable makes this program one that verifies an image: the reference and the key.
const verifyVariable = "BUILD_TEST_VERIFY"

// init verifies as a target does, and says how much memory that took.
func init() {
	ref, key, ok := strings.Cut(os.Getenv(verifyVariable), " ")
	if !ok {
		return
	}
	debug.SetMemoryLimit(38 << 20) // as build/targets does
	dir := os.TempDir()
	report, err := build.Verify(context.Background(), verifying(build.Options{Workdir: dir, Cache: dir}, build.VerifyOptions{Keys: []string{key}}), ref)
	status, readErr := os.ReadFile("/proc/self/status")
	peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if readErr != nil || peak == nil {
		fmt.Println("no VmHWM:", readErr)
		os.Exit(2)
	}
	ignored := 0
	if report != nil {
		for _, c := range report.Checks {
			if c.Outcome == attest.Ignored {
				ignored++
			}
		}
	}
	fmt.Printf("%s %d %v\n", peak[1], ignored, err)
	os.Exit(0)
}

// evil is a registry of one repository that has whatever is put into it.
type evil struct {
	manifests map[string][]byte // by tag and digest
	blobs     map[string][]byte
	referrers []v1.Descriptor
	list      []byte // in place of referrers
}

func newEvil() *evil { return &evil{manifests: map[string][]byte{}, blobs: map[string][]byte{}} }

func digestOfBytes(b []byte) v1.Hash {
	h, _, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		panic(err)
	}
	return h
}

func (e *evil) blob(mediaType types.MediaType, b []byte) v1.Descriptor {
	e.blobs[digestOfBytes(b).String()] = b
	return v1.Descriptor{MediaType: mediaType, Digest: digestOfBytes(b), Size: int64(len(b))}
}

// manifest puts in JSON under its digest, and a tag.
func (e *evil) manifest(tag string, m any) v1.Descriptor {
	raw, isRaw := m.([]byte)
	if !isRaw {
		raw = must(json.Marshal(m))
	}
	e.manifests[tag], e.manifests[digestOfBytes(raw).String()] = raw, raw
	return v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digestOfBytes(raw), Size: int64(len(raw))}
}

func (e *evil) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	var body []byte
	switch {
	case r.URL.Path == "/v2/":
		return
	case strings.Contains(r.URL.Path, "/referrers/"):
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		if body = e.list; body == nil {
			body = must(json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: slices.Concat(e.referrers, []v1.Descriptor{})}))
		}
	case strings.Contains(r.URL.Path, "/manifests/"):
		body = e.manifests[what]
		var is struct{ MediaType string }
		_ = json.Unmarshal(body, &is)
		w.Header().Set("Content-Type", is.MediaType)
	default:
		body = e.blobs[what]
	}
	if body == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// image is one without layers.
func (e *evil) image(tag string) v1.Descriptor {
	config := e.blob(types.OCIConfigJSON, []byte(`{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/app"]},"rootfs":{"type":"layers","diff_ids":[]}}`))
	return e.manifest(tag, v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{}})
}

// attach attaches so many bundles, of the same content.
func (e *evil) attach(subject v1.Descriptor, n int, content []byte) {
	config, layer := e.blob("application/vnd.oci.empty.v1+json", []byte("{}")), e.blob(attest.BundleType, content)
	for i := range n {
		d := e.manifest("", v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: attest.BundleType, Config: config,
			Layers: []v1.Descriptor{layer}, Subject: &subject, Annotations: map[string]string{"n": strconv.Itoa(i)}})
		d.ArtifactType = attest.BundleType
		e.referrers = append(e.referrers, d)
	}
}

// Whatever a registry has: verify ends by itself, and takes no more than 256 MiB.
func TestHostileRegistry(t *testing.T) {
	testtool.OnRequest(t, "half a minute and 500 MiB of memory")
	key := publicOf(newKey(t))
	const size = 16<<20 - 1024
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x","digest":{"sha256":"%064d"}}],"predicateType":"https://spdx.dev/Document","predicate":{"a":%q}}`, 0, strings.Repeat("a", 11<<20))
	envelope := fmt.Appendf(nil, `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":%q,"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`,
		base64.StdEncoding.EncodeToString([]byte(statement)))
	entries := func(n int) []byte {
		return []byte(`{"schemaVersion":2,"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[` + strings.TrimSuffix(strings.Repeat("{},", n), ",") + `]}`)
	}
	for name, c := range map[string]struct {
		fill func(*evil)
		says string
	}{
		"bundles of blanks": {func(e *evil) { e.attach(e.image("latest"), 8, append(bytes.Repeat([]byte(" "), size), "{}"...)) }, "verification failed"},
		"bundles of others": {func(e *evil) { e.attach(e.image("latest"), 8, envelope) }, "verification failed"},
		"bundles that grow": {func(e *evil) {
			e.attach(e.image("latest"), 8, []byte(`{"verificationMaterial":{"tlogEntries":[`+strings.Repeat("{},", size/3-20)+`{}]}}`))
		}, "verification failed"},
		"many bundles":        {func(e *evil) { e.attach(e.image("latest"), 600, []byte("{}")) }, "verification failed"},
		"too large bundles":   {func(e *evil) { e.attach(e.image("latest"), 10, make([]byte, 17<<20)) }, "verification failed"},
		"a list of nothing":   {func(e *evil) { e.image("latest"); e.list = entries(1_300_000) }, "verification failed"},
		"an index of nothing": {func(e *evil) { e.manifest("latest", entries(1_300_000)) }, "more than 500 manifests"},
		"an index of one image, often": {func(e *evil) {
			index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
			for range 100 {
				index.Manifests = append(index.Manifests, e.image("x"))
			}
			e.manifest("latest", index)
		}, "verification failed"},
		"a manifest of 5 MiB": {func(e *evil) { e.manifest("latest", append([]byte("{}"), bytes.Repeat([]byte(" "), 5<<20)...)) }, "larger than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEvil()
			c.fill(e)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, must(os.Executable()))
			cmd.Env = append(os.Environ(), verifyVariable+"="+registrytest.Serve(t, e)+"/x/y:latest "+key)
			out, err := cmd.CombinedOutput()
			said := strings.SplitN(string(out), " ", 3)
			if err != nil || len(said) != 3 {
				t.Fatalf("verify: %v\n%s", err, out)
			}
			peak := must(strconv.Atoi(said[0])) >> 10
			t.Logf("%d MiB, %s ignored", peak, said[1])
			if peak > 256 || !strings.Contains(said[2], c.says) {
				t.Errorf("it takes %d MiB, and says %s", peak, said[2])
			}
		})
	}
}

// Nobody reads a layer of an image that nobody expected has signed.
func TestSignaturesComeFirst(t *testing.T) {
	t.Parallel()
	proxy, host := registrytest.Before(t, registrytest.InProcess(t, true))
	ref := host + "/x/y:latest"
	ok(t, remote.Write(must(name.NewTag(ref, name.Insecure)), must(random.Image(1000, 3))))
	proxy.Forget()
	o := options(t, module(t, "hello"))
	_, err := build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(newKey(t))}}), ref)
	refused(t, err, "verification failed")
	for _, r := range proxy.Requests() {
		if strings.Contains(r, "/blobs/") {
			t.Errorf("there was %s", r)
		}
	}
}

// The reading of documents ends in time, however many there are.
func TestVerifyWithin(t *testing.T) {
	t.Parallel()
	e := newEvil()
	subject := e.image("latest")
	e.attach(subject, 100, []byte("{}"))
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") { // the documents, and not what lists them
			time.Sleep(200 * time.Millisecond)
		}
		e.ServeHTTP(w, r)
	})
	o := options(t, module(t, "hello"))
	o.VerifyWithin = time.Second
	o.Config.Release.Key = newKey(t)
	ref, expected := registrytest.Serve(t, slow)+"/x/y@"+subject.Digest.String(), build.VerifyOptions{Keys: []string{publicOf(o.Config.Release.Key)}}
	for verb, read := range map[string]func() error{
		"verify": func() error {
			_, err := build.Verify(t.Context(), verifying(o.Options, expected), ref)
			return err
		},
		"reproduce": func() error {
			_, err := build.Rebuild(t.Context(), rebuilding(o.Options, build.RebuildOptions{VerifyOptions: expected}), ref, nil)
			return err
		},
		"sign": func() error {
			_, err := build.Sign(t.Context(), o.Options, ref)
			return err
		},
	} {
		began := time.Now()
		refused(t, read(), verb+" "+ref+": its signatures and attestations were not read within 1s")
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %s", verb, took)
		}
	}
}

// What others attach to an image takes nothing away from it, as long as there is not too
// much; then what is missing is said, and what was not read.
func TestMoreReferrersThanAreRead(t *testing.T) {
	t.Parallel()
	proxy, host := registrytest.Before(t, registrytest.InProcess(t, true))
	key := newKey(t)
	o := options(t, module(t, "hello"), to(host, key), func(o *settings) { o.Config.Release.Forms = []string{"bundle"} })
	_, err := build.Release(t.Context(), o.release())
	ok(t, err)
	for first, fails := range map[string]bool{"f": false, "0": true} { // digests behind the true ones, and before
		proxy.Answer(func(resp *http.Response) error {
			if !strings.Contains(resp.Request.URL.Path, "/referrers/") {
				return nil
			}
			var index v1.IndexManifest
			if err := errors.Join(json.NewDecoder(resp.Body).Decode(&index), resp.Body.Close()); err != nil {
				return err
			}
			for i := range 600 {
				digest := strings.Repeat(first, 8) + fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))[8:]
				index.Manifests = append(index.Manifests, v1.Descriptor{MediaType: types.OCIManifestSchema1, ArtifactType: attest.BundleType, Size: 7, Digest: v1.Hash{Algorithm: "sha256", Hex: digest}})
			}
			raw := must(json.Marshal(index))
			resp.Body, resp.ContentLength = http.NoBody, int64(len(raw))
			resp.Body = struct {
				*bytes.Reader
				nothing
			}{bytes.NewReader(raw), nothing{}}
			resp.Header.Set("Content-Length", strconv.Itoa(len(raw)))
			return nil
		})
		verified, err := build.Verify(t.Context(), verifying(o.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), host+"/acme/hello:v1.2.3")
		if (err != nil) != fails {
			t.Errorf("with digests that begin with %s, it gives %v", first, err)
		}
		if verified == nil || !slices.ContainsFunc(verified.Checks, func(c report.Check) bool {
			return c.Outcome == attest.Ignored && strings.Contains(c.Detail, "were not read, because the limit is 500")
		}) {
			t.Errorf("with digests that begin with %s, the report is %+v", first, verified)
		}
	}
}

type nothing struct{}

func (nothing) Close() error { return nil }

package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

func TestReleaseTwice(t *testing.T) {
	each(t, func(t *testing.T, host string, referrers registry.ReferrersSupport) {
		p, host := registrytest.Before(t, host)
		repository, c := repositoryOf(host), made("twice")
		ok(t, release(context.Background(), repository, quick, c))
		if len(p.Requests(http.MethodPut)) == 0 || len(p.Requests(http.MethodPatch)) == 0 {
			t.Fatalf("the proxy saw no upload: %q", p.Requests())
		}
		finished(t, repository, c)
		p.Rest()
		ok(t, release(context.Background(), repository, quick, c))
		// The one upload is that which the preflight starts and gives up.
		if n := len(p.Requests(http.MethodPut, http.MethodPatch)); n > 0 || len(p.Requests(http.MethodPost)) != 1 || len(p.Requests(http.MethodDelete)) != 1 {
			t.Errorf("the second run wrote: %q", p.Requests())
		}
		found := must(open(t, repository, quick).Preflight(context.Background(), tags, c.digest()))
		if found.Referrers != referrers || found.Tags["v1.0.0"] != c.digest() || len(found.Tags) != 3 {
			t.Errorf("preflight found %v", found)
		}
	})
}

func TestPushSetsNoTag(t *testing.T) {
	each(t, func(t *testing.T, host string, _ registry.ReferrersSupport) {
		p, host := registrytest.Before(t, host)
		r, c := open(t, repositoryOf(host), quick), made("push")
		ok(t, r.Push(context.Background(), c.index))
		for _, s := range p.Requests() {
			if strings.HasPrefix(s, "PUT") && strings.Contains(s, "/manifests/") && !strings.Contains(s, "/manifests/sha256:") {
				t.Error(s)
			}
		}
		last := p.Requests()[len(p.Requests())-1]
		if !strings.HasPrefix(last, "PUT") || !strings.HasSuffix(last, c.digest().String()) {
			t.Errorf("the last request was %s, not the index", last)
		}
		read := must(r.ReadBack(context.Background(), c.digest(), false))
		if len(read) != 3+2+3 || read[0].Digest != c.digest() {
			t.Errorf("read back %v", read)
		}
	})
}

// The counts: a layer is mounted, and no byte of it sent.
func TestMount(t *testing.T) {
	each(t, func(t *testing.T, host string, _ registry.ReferrersSupport) {
		if strings.Contains(t.Name(), "ggcr") {
			return // it has one store of blobs for all repositories
		}
		p, host := registrytest.Before(t, host)
		c := made("mount")
		ok(t, open(t, host+"/acme/base", quick).Push(context.Background(), c.index))
		p.Rest()
		o := quick
		sent := int64(0)
		o.Progress = func(n int64) { atomic.AddInt64(&sent, n) }
		o.MountFrom = []string{host + "/acme/nothing", host + "/acme/base", "ghcr.io/acme/api"}
		ok(t, open(t, repositoryOf(host), o).Push(context.Background(), c.index))
		if n := len(p.Requests(http.MethodPatch)); n > 0 || sent > 0 {
			t.Errorf("%d blobs, %d bytes were uploaded", n, sent)
		}
		if n := len(p.Requests(http.MethodPost)); n != 5 {
			t.Errorf("%d blobs were mounted, want 5", n)
		}
		o.MountFrom = o.MountFrom[:1] // which has nothing
		ok(t, open(t, host+"/acme/other", o).Push(context.Background(), c.index))
		if sent < 600_000 {
			t.Errorf("progress counted %d bytes", sent)
		}
		must(open(t, host+"/acme/other", o).ReadBack(context.Background(), c.digest(), true))
	})
}

func TestPreflight(t *testing.T) {
	each(t, func(t *testing.T, host string, _ registry.ReferrersSupport) {
		ctx, c, other := context.Background(), made("one"), made("two")
		r := open(t, repositoryOf(host), quick)
		found := must(r.Preflight(ctx, tags, c.digest()))
		if len(found.Tags) != 0 {
			t.Errorf("found %v in an empty registry", found)
		}
		if is := must(r.Resolve(ctx, "v1.0.0")); is != (v1.Hash{}) {
			t.Errorf("preflight made %s", is)
		}
		ok(t, release(ctx, repositoryOf(host), quick, c))
		_, err := r.Preflight(ctx, tags, other.digest())
		refused(t, err, "tag "+repositoryOf(host)+":v1.0.0: it points to "+c.digest().String(), other.digest().String())
		must(r.Preflight(ctx, tags[2:], other.digest())) // a moving tag
		found = must(r.Preflight(ctx, tags, v1.Hash{}))
		if found.Tags["v1.0.0"] != c.digest() {
			t.Errorf("found %v", found)
		}
		for _, skew := range []time.Duration{-time.Hour, time.Hour} {
			o := quick
			o.Now = func() time.Time { return time.Now().Add(skew) }
			_, err := open(t, repositoryOf(host), o).Preflight(ctx, nil, v1.Hash{})
			refused(t, err, "this machine's clock is", map[bool]string{true: "ahead of", false: "behind"}[skew > 0])
		}
		_, err = r.Preflight(ctx, []registry.Tag{{Name: "no tag"}}, v1.Hash{})
		refused(t, err, `"no tag" is not a tag`)
	})
}

func TestTagRefusesAndMovesNothing(t *testing.T) {
	each(t, func(t *testing.T, host string, _ registry.ReferrersSupport) {
		ctx, c, other := context.Background(), made("one"), made("two")
		r := open(t, repositoryOf(host), quick)
		refused(t, r.Tag(ctx, c.digest(), tags), "push it first")
		ok(t, r.Push(ctx, c.index))
		ok(t, r.Push(ctx, other.index))
		ok(t, r.Tag(ctx, c.digest(), tags))
		more := append([]registry.Tag{{Name: "v1.0.1"}}, tags...)
		refused(t, r.Tag(ctx, other.digest(), more), ":v1.0.0: it points to "+c.digest().String())
		if is := must(r.Resolve(ctx, "v1.0.1")); is != (v1.Hash{}) {
			t.Error("v1.0.1 was set before v1.0.0 was refused")
		}
		if is := must(r.Resolve(ctx, "latest")); is != c.digest() {
			t.Errorf("latest moved to %s", is)
		}
		ok(t, r.Tag(ctx, other.digest(), []registry.Tag{{Name: "latest", Moving: true}, {Name: "v1.0.1"}}))
		if is := must(r.Resolve(ctx, "latest")); is != other.digest() {
			t.Errorf("latest is %s", is)
		}
	})
}

// Moving tags come last, and the error says what has been moved.
func TestTagOrder(t *testing.T) {
	p, host := registrytest.Before(t, registrytest.InProcess(t, true))
	ctx, c := context.Background(), made("order")
	r := open(t, repositoryOf(host), quick)
	ok(t, r.Push(ctx, c.index))
	p.Rest()
	ok(t, r.Tag(ctx, c.digest(), tags))
	var put []string
	for _, s := range p.Requests() {
		if name, is := strings.CutPrefix(s, "PUT /v2/acme/api/manifests/"); is {
			put = append(put, name)
		}
	}
	if !slices.Equal(put, []string{"v1.0.0", "latest", "v1"}) {
		t.Errorf("the order was %q", put)
	}
	other := made("other")
	ok(t, r.Push(ctx, other.index))
	p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "latest") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	refused(t, r.Tag(ctx, other.digest(), []registry.Tag{tags[0], {Name: "v2.0.0"}}), ":latest: 403 forbidden", "moved already: v2.0.0")
}

func listedTexts(list []v1.Descriptor) (texts []string) {
	for _, d := range list {
		texts = append(texts, d.Annotations["org.example.text"])
	}
	slices.Sort(texts)
	return texts
}

// Writers that attach at once to one subject lose nothing.
func TestConcurrentAttach(t *testing.T) {
	each(t, func(t *testing.T, host string, _ registry.ReferrersSupport) {
		ctx, c := context.Background(), made("many")
		r := open(t, repositoryOf(host), quick)
		ok(t, r.Push(ctx, c.index))
		subject := *must(c.referrers[0].Image.Manifest()).Subject
		var group sync.WaitGroup
		var want []string
		for i := range 12 {
			text := fmt.Sprintf("attestation %02d", i)
			want = append(want, text)
			group.Go(func() {
				if err := r.Attach(ctx, []registry.Artifact{{Image: referrer(subject, text)}}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		list := must(r.Referrers(ctx, subject.Digest))
		if got := listedTexts(list); !slices.Equal(got, want) {
			t.Errorf("listed are %q", got)
		}
	})
}

// The list under the fallback tag keeps what another client wrote, holds nothing
// twice, and has the same bytes in whatever order the entries came.
func TestFallbackTag(t *testing.T) {
	each(t, func(t *testing.T, host string, support registry.ReferrersSupport) {
		if support == registry.ReferrersNative {
			return // it lists them itself
		}
		ctx, c := context.Background(), made("fallback")
		subject := *must(c.referrers[0].Image.Manifest()).Subject
		tag := "sha256-" + subject.Digest.Hex
		var lists [][]byte
		for i, repository := range []string{host + "/acme/one", host + "/acme/two"} {
			r := open(t, repository, quick)
			ok(t, r.Push(ctx, c.index))
			foreign := referrer(subject, "by another client")
			write := func() { ok(t, remote.Write(r.Name().Digest(digestOf(foreign).String()), foreign)) }
			artifacts := c.artifacts()
			if i == 0 {
				write()
				ok(t, r.Attach(ctx, artifacts))
			} else {
				slices.Reverse(artifacts)
				for _, a := range artifacts {
					ok(t, r.Attach(ctx, []registry.Artifact{a, a}))
				}
				write()
			}
			desc := must(remote.Get(r.Name().Tag(tag)))
			lists = append(lists, desc.Manifest)
			if got := listedTexts(must(r.Referrers(ctx, subject.Digest))); !slices.Equal(got, []string{"by another client", "fallback provenance", "fallback sbom"}) {
				t.Errorf("listed are %q", got)
			}
			// What stock clients read: the artifact's type is in the list.
			for _, d := range must(must(remote.Referrers(r.Name().Digest(subject.Digest.String()))).IndexManifest()).Manifests {
				if d.ArtifactType != "application/vnd.example" {
					t.Errorf("%s is listed as %q", d.Digest, d.ArtifactType)
				}
			}
		}
		if !bytes.Equal(lists[0], lists[1]) {
			t.Errorf("the lists differ:\n%s\n%s", lists[0], lists[1])
		}
	})
}

// Another process writes its own list over ours.
func TestAnotherWriter(t *testing.T) {
	p, host := registrytest.Before(t, registrytest.InProcess(t, false))
	ctx, c := context.Background(), made("race")
	r := open(t, repositoryOf(host), quick)
	ok(t, r.Push(ctx, c.index))
	subject := *must(c.referrers[0].Image.Manifest()).Subject
	foreign := referrer(subject, "theirs")
	ok(t, remote.Write(r.Name().Digest(digestOf(foreign).String()), foreign))
	theirs := must(remote.Get(r.Name().Tag("sha256-" + subject.Digest.Hex)))
	once := false
	p.Answer(func(resp *http.Response) error {
		if q := resp.Request; q.Method == http.MethodPut && strings.HasSuffix(q.URL.Path, "sha256-"+subject.Digest.Hex) && !once {
			once = true
			tag := must(name.NewTag(q.URL.Host + "/acme/api:sha256-" + subject.Digest.Hex))
			return remote.Tag(tag, theirs)
		}
		return nil
	})
	ok(t, r.Attach(ctx, c.referrers))
	if got := listedTexts(must(r.Referrers(ctx, subject.Digest))); !once || !slices.Equal(got, []string{"race provenance", "race sbom", "theirs"}) {
		t.Errorf("listed are %q", got)
	}
	p.Answer(nil)
	broken := must(c.signature.Image.RawManifest())
	ok(t, remote.Tag(r.Name().Tag("sha256-"+subject.Digest.Hex), raw{broken, types.OCIImageIndex}))
	err := r.Attach(ctx, c.referrers)
	refused(t, err, "nothing can be added to it", "Config.Release.Forms")
	if strings.Contains(err.Error(), "remove") {
		t.Errorf("it advises to remove what may be somebody's: %v", err)
	}
}

// raw is a manifest under any media type.
type raw struct {
	content   []byte
	mediaType types.MediaType
}

func (r raw) RawManifest() ([]byte, error)        { return r.content, nil }
func (r raw) MediaType() (types.MediaType, error) { return r.mediaType, nil }

func TestArtifactTags(t *testing.T) {
	each(t, func(t *testing.T, host string, _ registry.ReferrersSupport) {
		ctx, c := context.Background(), made("signed")
		r := open(t, repositoryOf(host), quick)
		ok(t, r.Push(ctx, c.index))
		ok(t, r.Attach(ctx, []registry.Artifact{c.signature}))
		again := registry.Artifact{Image: signature("by two"), Tag: c.signature.Tag}
		refused(t, r.Attach(ctx, []registry.Artifact{again}), again.Tag+": somebody else changed it")
		if is := must(r.Resolve(ctx, again.Tag)); is != digestOf(c.signature.Image) {
			t.Errorf("the tag moved to %s", is)
		}
		again.Replaces = digestOf(c.signature.Image)
		ok(t, r.Attach(ctx, []registry.Artifact{again}))
		if is := must(r.Resolve(ctx, again.Tag)); is != digestOf(again.Image) {
			t.Errorf("the tag is %s", is)
		}
		again.Tag = "latest"
		refused(t, r.Attach(ctx, []registry.Artifact{again}), `"latest" is not a tag for an artifact`)
		again.Tag = ""
		refused(t, r.Attach(ctx, []registry.Artifact{again}), "neither a subject nor a tag")
	})
}

// A list of referrers may come in pages.
func TestReferrersInPages(t *testing.T) {
	p, host := registrytest.Before(t, registrytest.InProcess(t, true))
	ctx, c := context.Background(), made("pages")
	r := open(t, repositoryOf(host), quick)
	ok(t, r.Push(ctx, c.index))
	ok(t, r.Attach(ctx, c.referrers))
	want := must(r.Referrers(ctx, c.digest()))
	p.Meddle(func(_ int, w http.ResponseWriter, q *http.Request) bool {
		if !strings.Contains(q.URL.Path, "/referrers/") {
			return false
		}
		page := want[1:]
		if q.URL.Query().Get("page") == "" {
			page = want[:1]
			w.Header().Set("Link", "<"+q.URL.Path+`?page=2>; rel="next"`)
		}
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		w.Write(must(json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: page})))
		return true
	})
	if got := must(r.Referrers(ctx, c.digest())); len(want) != 2 || !slices.EqualFunc(got, want, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest }) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestReadBackSaysWhatIsWrong(t *testing.T) {
	p, host := registrytest.Before(t, registrytest.InProcess(t, true))
	ctx, c := context.Background(), made("back")
	r := open(t, repositoryOf(host), quick)
	_, err := r.ReadBack(ctx, c.digest(), false)
	refused(t, err, "@"+c.digest().String()+": the registry does not have it")
	ok(t, r.Push(ctx, c.index))
	all := must(r.ReadBack(ctx, c.digest(), true))
	for i, d := range all {
		p.Answer(func(resp *http.Response) error {
			if strings.HasSuffix(resp.Request.URL.Path, d.Digest.String()) && resp.Request.Method == http.MethodGet {
				resp.Body = changed{resp.Body}
			}
			return nil
		})
		_, err := r.ReadBack(ctx, d.Digest, true)
		if err == nil && i < 3 {
			t.Fatalf("%s: not seen", d.Digest)
		}
		_, err = r.ReadBack(ctx, c.digest(), true)
		refused(t, err, "@"+d.Digest.String()+": the registry returned sha256:")
		p.Meddle(func(_ int, w http.ResponseWriter, q *http.Request) bool {
			gone := strings.HasSuffix(q.URL.Path, d.Digest.String())
			if gone {
				w.WriteHeader(http.StatusNotFound)
			}
			return gone
		})
		_, err = r.ReadBack(ctx, c.digest(), false)
		refused(t, err, "@"+d.Digest.String()+": the registry does not have it")
		p.Meddle(nil)
	}
	layer := all[len(all)-1].Digest
	p.Answer(func(resp *http.Response) error {
		if resp.Request.Method == http.MethodHead && strings.HasSuffix(resp.Request.URL.Path, layer.String()) {
			resp.Header.Set("Content-Length", "7")
		}
		return nil
	})
	_, err = r.ReadBack(ctx, c.digest(), false)
	refused(t, err, "@"+layer.String()+": it has 7 bytes, but its descriptor says 300000")
}

// A registry that keeps what a killed client had sent of a manifest, under the digest that
// the whole one would have, gets it again.
func TestCutManifestsAreMended(t *testing.T) {
	c, host := made("cut"), registrytest.InProcess(t, false)
	p, through := registrytest.Before(t, registrytest.InProcess(t, false))
	ok(t, release(t.Context(), repositoryOf(through), quick, c))
	cut := 0
	for _, request := range p.Requests(http.MethodPut) {
		_, path, _ := strings.Cut(request, " ")
		if !strings.Contains(path, "/manifests/sha256:") {
			continue
		}
		q := must(http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+host+path, http.NoBody))
		q.Header.Set("Content-Type", string(types.OCIManifestSchema1))
		resp := must(http.DefaultClient.Do(q))
		ok(t, resp.Body.Close())
		if resp.StatusCode == http.StatusCreated {
			cut++
		}
	}
	if cut < 5 {
		t.Fatalf("%d manifests were cut", cut)
	}
	ok(t, release(t.Context(), repositoryOf(host), quick, c))
	finished(t, repositoryOf(host), c)
}

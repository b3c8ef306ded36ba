package registrytest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Content is the content of a repository, read with only HTTP and JSON: it shares no code with
// the tested packages.
type Content struct {
	// Tags are all tags, with their digests.
	Tags map[string]string
	// Manifests and Blobs are those that can be reached from the tags, by digest.
	Manifests map[string]Manifest
	Blobs     map[string][]byte
}

// Manifest is an image or an index.
type Manifest struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Subject      *Descriptor       `json:"subject"`
	Config       *Descriptor       `json:"config"`
	Layers       []Descriptor      `json:"layers"`
	Manifests    []Descriptor      `json:"manifests"`
	Annotations  map[string]string `json:"annotations"`
}

// Descriptor is an entry of a manifest.
type Descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
}

// Inspect reads a repository at a host. The error names everything that a tag refers to and that
// is missing or wrong; the readable content is returned in that case, too.
func Inspect(host, repository string) (*Content, error) {
	c := &Content{Tags: map[string]string{}, Manifests: map[string]Manifest{}, Blobs: map[string][]byte{}}
	base := "http://" + host + "/v2/" + repository + "/"
	raw, err := get(base + "tags/list?n=1000")
	if errors.Is(err, errAbsent) {
		return c, nil
	}
	var list struct{ Tags []string }
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return c, err
	}
	for _, tag := range list.Tags {
		raw, e := get(base + "manifests/" + tag)
		if e == nil {
			c.Tags[tag] = digestOf(raw)
			e = c.walk(base, c.Tags[tag], -1)
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("the tag %s: %w", tag, e))
		}
	}
	return c, err
}

// Referrers are the manifests that the registry or the fallback tag lists for a digest.
func (c *Content) Referrers(host, repository, digest string) ([]Manifest, error) {
	base := "http://" + host + "/v2/" + repository + "/"
	raw, err := get(base + "referrers/" + digest)
	if errors.Is(err, errAbsent) {
		raw, err = get(base + "manifests/" + strings.Replace(digest, ":", "-", 1))
		if errors.Is(err, errAbsent) {
			return nil, nil
		}
	}
	var list Manifest
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return nil, err
	}
	var all []Manifest
	for _, d := range list.Manifests {
		if err := c.walk(base, d.Digest, d.Size); err != nil {
			return nil, err
		}
		all = append(all, c.Manifests[d.Digest])
	}
	return all, nil
}

// walk reads a manifest and all below it.
func (c *Content) walk(base, digest string, size int64) error {
	if _, ok := c.Manifests[digest]; ok {
		return nil
	}
	raw, err := get(base + "manifests/" + digest)
	if err == nil {
		err = check(raw, digest, size)
	}
	var m Manifest
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return fmt.Errorf("the manifest %s: %w", digest, err)
	}
	c.Manifests[digest] = m
	for _, d := range m.Manifests {
		err = errors.Join(err, c.walk(base, d.Digest, d.Size))
	}
	blobs := m.Layers
	if m.Config != nil {
		blobs = append(blobs, *m.Config)
	}
	for _, d := range blobs {
		if _, ok := c.Blobs[d.Digest]; ok {
			continue
		}
		raw, e := get(base + "blobs/" + d.Digest)
		if e == nil {
			e = check(raw, d.Digest, d.Size)
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("the blob %s: %w", d.Digest, e))
			continue
		}
		c.Blobs[d.Digest] = raw
	}
	return err
}

// client is not the default one, whose connections end when any server of a test does.
var client = &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}

var errAbsent = errors.New("it is not there")

func get(url string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	for _, t := range []string{"application/vnd.oci.image.index.v1+json",
		"application/vnd.oci.image.manifest.v1+json"} {
		req.Header.Add("Accept", t)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, errAbsent
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return raw, nil
}

func check(raw []byte, digest string, size int64) error {
	if size >= 0 && int64(len(raw)) != size {
		return fmt.Errorf("it has %d bytes, not %d", len(raw), size)
	}
	if got := digestOf(raw); got != digest {
		return fmt.Errorf("it is %s", got)
	}
	return nil
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

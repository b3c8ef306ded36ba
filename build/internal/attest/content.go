package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"
)

// sbomHashes parses an SBOM and returns every SHA-256 in it, in hex.
func sbomHashes(predicateType string, predicate json.RawMessage) ([]string, error) {
	var hashes []string
	var err error
	switch predicateType {
	case SPDXType:
		hashes, err = spdxHashes(predicate)
	case CycloneDXType:
		hashes, err = cycloneDXHashes(predicate)
	}
	if err != nil {
		return nil, fmt.Errorf("the SBOM cannot be read: %w", err)
	}
	if len(hashes) == 0 {
		return nil, errors.New("the SBOM contains no file with a sha256")
	}
	return hashes, nil
}

func spdxHashes(predicate json.RawMessage) ([]string, error) {
	var doc spdx.Document
	if err := json.Unmarshal(predicate, &doc); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(doc.SPDXVersion, "SPDX-2.") {
		return nil, fmt.Errorf("its version is %q, not SPDX 2", doc.SPDXVersion)
	}
	var hashes []string
	add := func(sums []common.Checksum) {
		for _, c := range sums {
			if c.Algorithm == common.SHA256 {
				hashes = append(hashes, strings.ToLower(c.Value))
			}
		}
	}
	for _, p := range doc.Packages {
		add(p.PackageChecksums)
	}
	for _, f := range doc.Files {
		add(f.Checksums)
	}
	return hashes, nil
}

func cycloneDXHashes(predicate json.RawMessage) ([]string, error) {
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(predicate), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, err
	}
	if bom.BOMFormat != cdx.BOMFormat {
		return nil, fmt.Errorf("its format is %q, not %s", bom.BOMFormat, cdx.BOMFormat)
	}
	var hashes []string
	var walk func(*[]cdx.Component)
	walk = func(components *[]cdx.Component) {
		if components == nil {
			return
		}
		for _, c := range *components {
			if c.Hashes != nil {
				for _, h := range *c.Hashes {
					if h.Algorithm == cdx.HashAlgoSHA256 {
						hashes = append(hashes, strings.ToLower(h.Value))
					}
				}
			}
			walk(c.Components)
		}
	}
	if bom.Metadata != nil && bom.Metadata.Component != nil {
		walk(&[]cdx.Component{*bom.Metadata.Component})
	}
	walk(bom.Components)
	return hashes, nil
}

// sources returns the repositories in a SLSA v1 provenance: the resolved dependencies that are
// git commits.
func sources(predicate json.RawMessage) ([]string, error) {
	var p struct {
		BuildDefinition struct {
			ResolvedDependencies []struct {
				URI    string            `json:"uri"`
				Digest map[string]string `json:"digest"`
			} `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
	}
	if err := json.Unmarshal(predicate, &p); err != nil {
		return nil, fmt.Errorf("the provenance cannot be read: %w", err)
	}
	var out []string
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		if d.Digest["gitCommit"] != "" || d.Digest["sha1"] != "" && strings.HasPrefix(d.URI, "git+") {
			out = append(out, repository(d.URI))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the provenance contains no source commit")
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// repository returns host/path of a repository's URL in any form, without the revision that
// SPDX and SLSA write after an @.
func repository(url string) string {
	s := strings.TrimPrefix(url, "git+")
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	host, path, _ := strings.Cut(s, "/")
	path, _, _ = strings.Cut(path, "#")
	path, _, _ = strings.Cut(path, "@")
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:] // a user
	}
	// git@host:path is git's short form of ssh://git@host/path.
	if h, first, ok := strings.Cut(host, ":"); ok && strings.Trim(first, "0123456789") != "" {
		host, path = h, first+"/"+path
	}
	return strings.ToLower(host) + "/" + strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}

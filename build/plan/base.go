package plan

// The bases that need no reference. Every other Base of a Config is an image: a reference in a
// registry ("ghcr.io/acme/base:1"), "oci:FOLDER" for an OCI layout, or "docker-archive:FILE".
const (
	BaseScratch = "scratch"           // only what the binary needs
	BaseStatic  = "distroless/static" // Debian's certificates, zones, users; no C library
	BaseBase    = "distroless/base"   // the same, glibc and OpenSSL
	BaseCC      = "distroless/cc"     // the same, libgcc and libstdc++
	BaseDebian  = "debian"            // only ImageConfig.Packages
)

// DebianConfig says where Debian packages come from.
type DebianConfig struct {
	// Suite is the codename of a Debian release: "bookworm" (12) or "trixie" (13); trixie if
	// empty.
	Suite string
	// Mirror is the URL that contains debian/ and debian-security/, or that of debian/, as in
	// apt's sources. If empty, it is Debian's
	// snapshot service, which never removes files. THIMBLE_DEBIAN_MIRROR overrides it.
	Mirror string
}

// Lock is thimble.lock.json: it pins everything that bases are made of by digest. Its JSON is
// stable: lists are sorted, and nothing in it depends on who wrote it, or when.
type Lock struct {
	// Version of the file format: 1.
	Version int          `json:"version"`
	Debian  []DebianLock `json:"debian,omitempty"`
	Images  []ImageLock  `json:"images,omitempty"`
}

// DebianLock pins one suite.
type DebianLock struct {
	Suite string `json:"suite"`
	// Indexes are the signed indexes that were read, such as those of trixie, trixie-updates
	// and trixie-security.
	Indexes []DebianIndex `json:"indexes"`
	// Selections are the requested bases with their packages.
	Selections []DebianSelection `json:"selections"`
	// Packages are the packages of all selections, sorted by name, architecture and version.
	Packages []DebianPackage `json:"packages"`
}

// DebianIndex is a signed index (InRelease).
type DebianIndex struct {
	// Archive is the folder below the mirror, "debian" or "debian-security". Suite is the suite
	// that the index names, such as "trixie-security".
	Archive string `json:"archive"`
	Suite   string `json:"suite"`
	// Date is the date in the index, in RFC 3339. An older index is refused afterwards.
	Date string `json:"date"`
	// Snapshot is the time of the snapshot that the index was read from, such as
	// 20261101T000000Z; empty for a mirror without snapshots.
	Snapshot string `json:"snapshot,omitempty"`
}

// DebianSelection is a base for one architecture, with its packages.
type DebianSelection struct {
	// Base is a distroless base or "debian". With lists the additional packages from Config,
	// sorted.
	Base string   `json:"base"`
	With []string `json:"with,omitempty"`
	// Architecture is Debian's name, such as "armhf".
	Architecture string `json:"architecture"`
	// Packages are the unpacked packages, including dependencies, as "name=version", sorted by
	// name. The version is needed for architectures that get no security updates: bookworm's
	// s390x gets none, not even of packages for all architectures.
	Packages []string `json:"packages"`
}

// DebianPackage is one .deb.
type DebianPackage struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"` // may be "all"
	// Source and SourceVersion are those of the source package.
	Source        string `json:"source"`
	SourceVersion string `json:"sourceVersion"`
	Maintainer    string `json:"maintainer"`
	// Archive is the archive of the index. Path is the file's path below it: pool/….
	Archive string `json:"archive"`
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"` // hex
}

// ImageLock pins an image that is used as a base.
type ImageLock struct {
	// Reference is the Base in the Config.
	Reference string `json:"reference"`
	// Digest and MediaType are those of the index, or of the only manifest.
	Digest    string              `json:"digest"`
	MediaType string              `json:"mediaType"`
	Platforms []ImagePlatformLock `json:"platforms"`
}

// ImagePlatformLock pins the manifest for one platform.
type ImagePlatformLock struct {
	Platform  Platform `json:"platform"`
	Digest    string   `json:"digest"`
	MediaType string   `json:"mediaType"`
	Size      int64    `json:"size"`
	// SBOMs are those in the image's registry, sorted by digest.
	SBOMs []ImageSBOM `json:"sboms,omitempty"`
}

// ImageSBOM is a software bill of materials (SBOM) that is attached to a base image.
type ImageSBOM struct {
	// Reference names the manifest that contains the SBOM, by digest.
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	// MediaType is the media type of the document, such as application/spdx+json, or of the
	// attestation that contains it.
	MediaType string `json:"mediaType"`
}

// BaseSignature says who must have signed a base image: a key, or an identity with its issuer.
type BaseSignature struct {
	// Key is a public key file, relative to the working directory.
	Key string
	// Identity is the subject of the certificate, Issuer is the issuer of the identity's token.
	// The Regexp fields replace them; a regular expression must match the whole value.
	Identity, IdentityRegexp, Issuer, IssuerRegexp string
	// TrustedRoot is a file (Sigstore's trusted_root.json), relative to the working directory;
	// Config.Release.TrustedRoot if empty.
	TrustedRoot string
	// NoTransparencyLog and NoCertificateLog accept signatures without entries in such logs.
	NoTransparencyLog, NoCertificateLog bool
}

package plan

// The bases that need no reference. Every other Base of a Config is an image: a
// reference into a registry ("ghcr.io/acme/base:1"), "oci:FOLDER" for an OCI layout, or
// "docker-archive:FILE".
const (
	BaseScratch = "scratch"           // nothing but what the binary needs
	BaseStatic  = "distroless/static" // Debian's certificates, zones, users; no C library
	BaseBase    = "distroless/base"   // the same, glibc and OpenSSL
	BaseCC      = "distroless/cc"     // the same, libgcc and libstdc++
	BaseDebian  = "debian"            // ImageConfig.Packages alone
)

// DebianConfig is where Debian's packages come from.
type DebianConfig struct {
	// Suite is a release's codename: "bookworm" (12) or "trixie" (13); trixie if empty.
	Suite string
	// Mirror is the URL under which debian/ and debian-security/ lie; Debian's snapshot
	// service, whose files never disappear, if empty. THIMBLE_DEBIAN_MIRROR overrides it.
	Mirror string
}

// Lock is thimble.lock.json: everything that bases are made of, by digest. Its JSON is
// stable: lists are sorted, and nothing in it depends on who wrote it, or when.
type Lock struct {
	// Version of the file's format: 1.
	Version int          `json:"version"`
	Debian  []DebianLock `json:"debian,omitempty"`
	Images  []ImageLock  `json:"images,omitempty"`
}

// DebianLock is what one suite gives.
type DebianLock struct {
	Suite string `json:"suite"`
	// Indexes are the signed indexes that were read, such as those of trixie,
	// trixie-updates and trixie-security.
	Indexes []DebianIndex `json:"indexes"`
	// Selections are the bases that were asked for, and their packages.
	Selections []DebianSelection `json:"selections"`
	// Packages are all of them, sorted by name, architecture and version.
	Packages []DebianPackage `json:"packages"`
}

// DebianIndex is a signed index (InRelease).
type DebianIndex struct {
	// Archive is the folder below the mirror, "debian" or "debian-security"; Suite is the
	// index's own, such as "trixie-security".
	Archive string `json:"archive"`
	Suite   string `json:"suite"`
	// Date is the index's own, in RFC 3339. An older one is refused from then on.
	Date string `json:"date"`
	// Snapshot is the time of the snapshot that it was read from, such as
	// 20261101T000000Z; empty on a mirror without snapshots.
	Snapshot string `json:"snapshot,omitempty"`
}

// DebianSelection is a base for one architecture, and the packages that it comes to.
type DebianSelection struct {
	// Base is one of the distroless bases or "debian", With the further packages that
	// Config names, sorted.
	Base string   `json:"base"`
	With []string `json:"with,omitempty"`
	// Architecture as Debian calls it, such as "armhf".
	Architecture string `json:"architecture"`
	// Packages are what is unpacked, dependencies among them, as "name=version", sorted by
	// name. The version matters where an architecture has been left behind: bookworm's
	// s390x gets no security updates, not even of packages for all architectures.
	Packages []string `json:"packages"`
}

// DebianPackage is one .deb.
type DebianPackage struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"` // "all" among them
	// Source and SourceVersion are the source package's.
	Source        string `json:"source"`
	SourceVersion string `json:"sourceVersion"`
	Maintainer    string `json:"maintainer"`
	// Archive is that of the index, Path the file's below it: pool/….
	Archive string `json:"archive"`
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"` // hex
}

// ImageLock is an image that others stand on.
type ImageLock struct {
	// Reference is the Base of the Config.
	Reference string `json:"reference"`
	// Digest and MediaType are those of the index, or of the only manifest.
	Digest    string              `json:"digest"`
	MediaType string              `json:"mediaType"`
	Platforms []ImagePlatformLock `json:"platforms"`
}

// ImagePlatformLock is the manifest for one platform.
type ImagePlatformLock struct {
	Platform  Platform `json:"platform"`
	Digest    string   `json:"digest"`
	MediaType string   `json:"mediaType"`
	Size      int64    `json:"size"`
	// SBOMs are what the image's own registry says of it, sorted by digest.
	SBOMs []ImageSBOM `json:"sboms,omitempty"`
}

// ImageSBOM is a bill of materials that lies beside an image that others stand on.
type ImageSBOM struct {
	// Reference names the manifest that holds it, by its digest.
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	// MediaType is the document's, such as application/spdx+json; that of an
	// attestation where it lies in one.
	MediaType string `json:"mediaType"`
}

// BaseSignature says who must have signed an image before others stand on it: a key,
// or an identity with its issuer.
type BaseSignature struct {
	// Key is a file with the public key, relative to the working directory.
	Key string
	// Identity is the subject of the certificate and Issuer that of its token; each may
	// be given as a regular expression that matches all of it instead.
	Identity, IdentityRegexp, Issuer, IssuerRegexp string
	// TrustedRoot is a file (Sigstore's trusted_root.json), relative to the working
	// directory; Config.Release.TrustedRoot if empty.
	TrustedRoot string
	// NoTransparencyLog and NoCertificateLog do without entries in such logs.
	NoTransparencyLog, NoCertificateLog bool
}

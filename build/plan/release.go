package plan

// ReleaseConfig is how images are released. Its zero value works without a
// repository: a release then stays in the output folder, signed with a key that is
// made for it.
type ReleaseConfig struct {
	// Key signs: a file in cosign's format, env://NAME for a variable that holds the
	// key, or the URI of a key management service (awskms://, azurekms://, gcpkms://,
	// hashivault://), whose provider the magefile imports. THIMBLE_KEY overrides it.
	Key string
	// Keyless signs with an identity where there is no Key.
	Keyless *Keyless
	// Logs and TimestampAuthorities record the signatures.
	Logs []TransparencyLog
	// TimestampAuthorities are the full URLs of RFC 3161 endpoints, such as
	// https://tsa.example.com/api/v1/timestamp.
	TimestampAuthorities []string
	// TrustedRoot is a file (Sigstore's trusted_root.json) that verifies the
	// certificates, log entries and timestamps of all these services.
	TrustedRoot string
	// TrustKeys are files with further public keys that count when an image is verified, and
	// in policies for clusters, such as the key before the present one. A release is signed
	// with the present one in any case.
	TrustKeys []string

	// Forms in which signatures are stored: "bundle" (Sigstore bundles as OCI 1.1
	// referrers), "tag" (cosign's tags .sig and .att); both if empty.
	Forms []string
	// MovingTags are set with every release, wherever they pointed before, such as
	// "latest". All other tags never move. A pre-release, such as v1.2.3-rc.1 or the version
	// of a commit without a tag, moves them only with MoveTagsForPrereleases.
	MovingTags             []string
	MoveTagsForPrereleases bool
	// Repositories are further prefixes that the same images are released to.
	Repositories []string
	// Insecure allows plain HTTP to registries that are not on this machine.
	Insecure bool
	// RegistryCAs are PEM files with the authorities of private registries.
	RegistryCAs []string

	// OmitArchives leaves the release archives out.
	OmitArchives bool
	// ArchivePlatforms get an archive and no image, such as "darwin/arm64" or
	// "windows/amd64". The images' own platforms have archives anyway.
	ArchivePlatforms []string
}

// Keyless is an identity and the Sigstore that vouches for it. All of it has to be
// named: nothing is taken for the public Sigstore.
type Keyless struct {
	// Fulcio is the URL of the certificate authority.
	Fulcio string
	// TokenFile holds an OpenID Connect token. Without it, GitHub Actions and the
	// variable SIGSTORE_ID_TOKEN (GitLab) are asked, and then, on a terminal, whoever
	// logs in at Issuer.
	TokenFile string
	// Issuer, ClientID and ClientSecret are for the login at a terminal.
	Issuer, ClientID, ClientSecret string
	// Audience of the token; "sigstore" if empty.
	Audience string
	// NoTransparencyLog and NoCertificateLog say that this Sigstore has no such log:
	// verification does without.
	NoTransparencyLog, NoCertificateLog bool
}

// TransparencyLog is a Rekor instance.
type TransparencyLog struct {
	URL string
	// Version of its API: 1 or 2.
	Version int
}

package plan

// ReleaseConfig says how images are released. Its zero value works without a repository: a
// release then stays in the output folder, signed with a key that is made for it.
type ReleaseConfig struct {
	// Key is the signing key: a file in cosign's format, env://NAME for a variable that holds
	// the key, or the URI of a key management service (awskms://, azurekms://, gcpkms://,
	// hashivault://), whose provider the magefile imports. THIMBLE_KEY overrides it.
	Key string
	// Keyless signs with an identity if Key is empty.
	Keyless *Keyless
	// Logs and TimestampAuthorities record the signatures.
	Logs []TransparencyLog
	// TimestampAuthorities are the full URLs of RFC 3161 endpoints, such as
	// https://tsa.example.com/api/v1/timestamp.
	TimestampAuthorities []string
	// TrustedRoot is a file (Sigstore's trusted_root.json) that verifies the certificates, log
	// entries and timestamps of these services.
	TrustedRoot string
	// TrustKeys are files with additional public keys, such as the previous key. They are
	// accepted when an image is verified, and in cluster policies. A release is always
	// signed with the current key.
	TrustKeys []string

	// Forms are the forms in which signatures are stored: "bundle" (Sigstore bundles as OCI 1.1
	// referrers), "tag" (cosign's tags .sig and .att); both if empty.
	Forms []string
	// MovingTags are tags that every release sets, wherever they pointed before, such as
	// "latest". All other tags never move. A pre-release, such as v1.2.3-rc.1 or the version of
	// an untagged commit, moves them only with MoveTagsForPrereleases.
	MovingTags             []string
	MoveTagsForPrereleases bool
	// Repositories are additional prefixes that the same images are released to.
	Repositories []string
	// Insecure allows plain HTTP to registries on other machines.
	Insecure bool
	// RegistryCAs are PEM files with the CAs of private registries.
	RegistryCAs []string

	// OmitArchives makes no release archives.
	OmitArchives bool
	// ArchivePlatforms get an archive and no image, such as "darwin/arm64" or "windows/amd64".
	// The platforms of the images always have archives.
	ArchivePlatforms []string
}

// Keyless is an identity and the Sigstore instance that certifies it. Every service must be
// named: the public Sigstore is never a default.
type Keyless struct {
	// Fulcio is the URL of the certificate authority.
	Fulcio string
	// TokenFile contains an OpenID Connect token. Without it, thimble uses GitHub Actions or
	// the variable SIGSTORE_ID_TOKEN (GitLab), and then, on a terminal, a login at Issuer.
	TokenFile string
	// Issuer, ClientID and ClientSecret are for the login at a terminal.
	Issuer, ClientID, ClientSecret string
	// Audience of the token; "sigstore" if empty.
	Audience string
	// NoTransparencyLog and NoCertificateLog say that this Sigstore instance has no such log;
	// verification then requires no entry in it.
	NoTransparencyLog, NoCertificateLog bool
}

// TransparencyLog is a Rekor instance.
type TransparencyLog struct {
	URL string
	// Version of its API: 1 or 2.
	Version int
}

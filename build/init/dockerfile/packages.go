package dockerfile

import (
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
)

// unneeded are packages that an image of thimble does not need, with the reason.
var unneeded = map[string]string{}

func init() {
	for reason, names := range map[string]string{
		"thimble adds it if the binary needs it": "ca-certificates ca-certificates-bundle tzdata mailcap " +
			"mime-support media-types ssl_client openssl-dev " +
			"ca-certificates-cacert netbase libc-bin base-files alpine-baselayout shared-mime-info",
		"the binary is static": "libc6-compat gcompat musl libc6 libc-utils glibc libgcc libstdc++ " +
			"libgcc-s1 libstdc++6 musl-utils linux-headers",
		"only for the build": "git-lfs make gcc g++ build-base build-essential musl-dev libc-dev libc6-dev " +
			"linux-headers go golang pkgconf pkg-config cmake autoconf automake " +
			"upx nodejs npm yarn gcc-aarch64-linux-gnu crossbuild-essential-arm64 protobuf protobuf-dev protoc",
		"only to set up the image": "libcap libcap2-bin libcap-utils libcap-setcap shadow shadow-utils " +
			"passwd adduser apt-utils apt-transport-https lsb-release software-properties-common " +
			"binutils file unzip zip xz xz-utils tar gzip bzip2 findutils sed grep gawk",
		"the program starts without it": "tini dumb-init su-exec gosu catatonit s6-overlay runit",
		"a tool for people: see mage debug": "curl wget bash bash-completion busybox busybox-extras " +
			"busybox-static coreutils jq yq vim nano less procps htop bind-tools dnsutils " +
			"iputils iputils-ping net-tools strace tcpdump netcat netcat-openbsd telnet lsof nmap tree " +
			"bind9-host util-linux socat iproute2 sudo zsh mtr lftp dpkg apk-tools openssl",
	} {
		for name := range strings.FieldsSeq(names) {
			unneeded[name] = reason
		}
	}
}

// toDebian are the packages of Alpine (and Fedora) whose names in Debian are different. Others
// have the same name.
var toDebian = map[string]string{
	"openssh": "openssh-client", "openssh-client-default": "openssh-client",
	"openssh-keygen": "openssh-client", "openssh-clients": "openssh-client",
	"openssh-client-common": "openssh-client",
	"sqlite":                "sqlite3", "sqlite-libs": "libsqlite3-0", "sqlite-dev": "libsqlite3-0",
	"gnupg2": "gnupg",
	"gpg":    "gpg", "postgresql-client": "postgresql-client",
	"postgresql16-client": "postgresql-client", "postgresql15-client": "postgresql-client",
	"postgresql17-client": "postgresql-client", "mysql-client": "default-mysql-client",
	"mariadb-client": "mariadb-client",
	"imagemagick":    "imagemagick", "vips": "libvips42t64", "libpq": "libpq5", "python3": "python3",
	"py3-pip": "python3-pip", "docker-cli": "docker-cli", "docker": "docker-cli",
	"chromium": "chromium", "font-noto": "fonts-noto-core", "ttf-freefont": "fonts-freefont-ttf",
	"ttf-dejavu": "fonts-dejavu-core", "fontconfig": "fontconfig", "libwebp-tools": "webp",
	"libjpeg-turbo-utils": "libjpeg-turbo-progs", "e2fsprogs-extra": "e2fsprogs", "lvm2": "lvm2",
	"nfs-utils": "nfs-common", "cifs-utils": "cifs-utils", "iptables-legacy": "iptables",
	"ip6tables": "iptables", "wireguard-tools-wg": "wireguard-tools",
	"wireguard-tools-wg-quick": "wireguard-tools", "krb5-libs": "libkrb5-3", "zlib": "zlib1g",
	"libxml2": "libxml2", "libxslt": "libxslt1.1",
	"poppler-utils": "poppler-utils", "exiftool": "libimage-exiftool-perl",
	"perl-image-exiftool": "libimage-exiftool-perl", "linux-pam": "libpam-modules", "mercurial": "mercurial",
	"subversion":  "subversion",
	"asciidoctor": "asciidoctor", "libusb": "libusb-1.0-0", "eudev-libs": "libudev1",
	"libpcap": "libpcap0.8t64", "pcre": "libpcre3", "pcre2": "libpcre2-8-0", "icu-libs": "libicu76",
	"openjdk17-jre": "default-jre-headless",
	"openjdk11-jre": "default-jre-headless", "aws-cli": "awscli", "gettext": "gettext-base", "rsync": "rsync",
	"redis": "redis-tools", "p7zip": "7zip", "rclone": "rclone", "restic": "restic",
	"taglib": "libtag2", "mpv": "mpv",
}

// libraries reports whether a package contains shared libraries, which a static binary does not
// need.
func libraries(name string) bool {
	return strings.HasSuffix(name, "-dev") || strings.HasSuffix(name, "-devel") ||
		strings.HasSuffix(name, "-libs") || strings.HasSuffix(name, "-static") || slices.Contains(
		[]string{"zlib", "libpq", "pcre", "pcre2", "taglib", "vips", "libxml2", "libxslt", "libusb",
			"libpcap", "libseccomp", "krb5-libs"}, name)
}

// compilers are packages whose presence says that the program is compiled with cgo.
var compilers = []string{"gcc", "g++", "build-base", "build-essential", "musl-dev", "libc-dev",
	"libc6-dev", "clang", "zig"}

// installed returns the packages that a command of a package manager installs.
func installed(words []string) (names []string, is bool) {
	if len(words) == 0 {
		return nil, false
	}
	switch words[0] {
	case "apk", "apt-get", "apt", "aptitude", "dnf", "yum", "microdnf", "zypper", "tdnf", "pacman", "xx-apk",
		"xx-apt", "xx-apt-get":
	default:
		return nil, false
	}
	verb := ""
	for i := 1; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-t" || w == "--virtual" || w == "--repository" || w == "-X" || w == "-o" ||
			w == "--target-release" || w == "--setopt":
			i++
		case strings.HasPrefix(w, "-"):
		case verb == "":
			verb = w
		default:
			names = append(names, w)
		}
	}
	switch verb {
	case "add", "install":
		return names, true
	}
	return nil, true
}

// packageName returns a name without version, architecture and repository.
func packageName(name string) string {
	if i := strings.IndexAny(name, "=<>~@"); i > 0 {
		name = name[:i]
	}
	name, _, _ = strings.Cut(name, ":")
	return name
}

// packages handles the packages that are installed in an image.
func (r *reader) packages(names []string, st *state, line *finding.Line) {
	line.Outcome = finding.NotNeeded
	var reasons, wanted, unclear []string
	why := func(reason, name string) {
		for i, text := range reasons {
			if rest, ok := strings.CutSuffix(text, ": "+reason); ok {
				reasons[i] = rest + ", " + name + ": " + reason
				return
			}
		}
		reasons = append(reasons, name+": "+reason)
	}
	for _, n := range names {
		name := packageName(n)
		switch {
		case name == "" || strings.HasPrefix(name, "."):
		case strings.ContainsAny(name, "$/\ue000"):
			unclear = append(unclear, name)
		case unneeded[name] != "":
			why(unneeded[name], name)
		case libraries(name) && !st.cgo.Value:
			why("the binary is static", name)
		default:
			debian := name
			if to, ok := toDebian[name]; ok {
				debian = to
			}
			wanted = append(wanted, debian)
			st.debian = append(st.debian, finding.Found(debian, line.Place))
		}
	}
	if len(wanted) > 0 {
		line.Outcome = finding.Imported
		reasons = append([]string{"Packages " + strings.Join(wanted, ", ")}, reasons...)
	}
	if len(unclear) > 0 {
		line.Outcome, line.Setting = finding.ByHand, "Packages"
		reasons = append(reasons, strings.Join(unclear, ", ")+" is not the name of a package of Debian")
		line.Write = `if the program runs it: Base: "debian", Packages: []string{"…"}`
	}
	line.Reason = strings.Join(reasons, "; ")
	if line.Reason == "" {
		line.Reason = "it installs nothing"
	}
}
